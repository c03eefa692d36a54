"""Footage of any kind -> a data set that can be trusted: judged, grouped, split, decoded."""
