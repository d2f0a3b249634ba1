"""Frames from the pipeline in, screens out: the only room that knows Streamlit. Files without an underscore are pages."""
