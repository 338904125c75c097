"""`--mipro-optimize`: captured cases, the study, and what is written."""
