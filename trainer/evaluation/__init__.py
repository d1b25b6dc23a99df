"""How good a run or a bundle is on labelled images."""
