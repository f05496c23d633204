"""The page: FastAPI over one run."""
