"""The fifteen modifications: all that is known of each, in one file that is named as its patch is.

Each module has

- ``landing``: a function that checks where the modification landed in patched files, and returns the code it hangs on;
- ``SABOTAGE``: patched files in which it is in a wrong place, which ``landing`` has to notice;
- ``BY_HAND``: how people write it by hand, which distillpatch has to recognise;
- ``EDITS``: what people change around it, and what has to become of a checkout with that change;
- ``BREAKS``: how its patch is broken, and the test that has to notice.

`test_modifications.py` runs them, and requires each patch to have its module and each module to have all of these.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType

NAMES = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name[1:3].isdigit())
ALL: Mapping[int, ModuleType] = {int(name[1:3]): importlib.import_module(f"{__name__}.{name}") for name in NAMES}
"""The modules by the number of the modification."""
