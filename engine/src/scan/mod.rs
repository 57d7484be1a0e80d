//! Blocks to located runs: label index, pruning, exact row selection, late values.
