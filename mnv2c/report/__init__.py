"""Reports for people and scripts: what a model costs, beside the paper's figures."""
