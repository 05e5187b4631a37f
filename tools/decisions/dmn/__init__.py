"""DMN's XML: 1.3, 1.4 and 1.5 are read, 1.5 is written. What would change a meaning if ignored is refused."""

from tools.decisions.dmn.exporting import export_model
from tools.decisions.dmn.importing import import_model

__all__ = ["export_model", "import_model"]
