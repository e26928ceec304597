"""Stands in for py-cpuinfo, which takes a second to find out a name that old releases print at each start."""


def get_cpu_info():
    """Return what ultralytics asks for."""
    return {"brand_raw": "CPU"}
