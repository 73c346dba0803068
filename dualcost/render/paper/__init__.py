"""The paper in every form."""
