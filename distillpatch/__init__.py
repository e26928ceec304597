"""Turn an ultralytics checkout into one that trains YOLO models by knowledge distillation, and back."""

__version__ = "0.2.0"
