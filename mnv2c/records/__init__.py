"""Records of tuning: what was measured for which chain, in files that users keep and installations ship."""
