"""Label file formats: tables, XMP, exports of annotation tools, and the readers of each."""
