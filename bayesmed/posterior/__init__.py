"""The PyMC graph, its density and samplers; draws and what they are of; files."""
