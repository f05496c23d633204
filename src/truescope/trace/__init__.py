"""Attribution graphs: exact accounting, influence, pruning, files."""
