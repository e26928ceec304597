"""The engine: texts in, texts out. It knows LibCST, and neither YOLO nor the disk."""
