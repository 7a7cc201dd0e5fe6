"""The web page: everything a person sees and touches, served on this computer alone."""
