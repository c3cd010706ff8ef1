"""One emitter per kind of stage: it turns rows of its source planes into rows of its result planes."""
