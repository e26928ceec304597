"""Images without labels: distill_images.py."""

from __future__ import annotations

from promises import Break

IMAGES = "patches/distill_images.py"

BREAKS = (
    Break(
        "images without labels have the size that upstream makes of the argument",
        IMAGES,
        "        self.labelled = 0  # images with labels that came so far, in all processes\n",
        "        self.labelled = 0\n        self._begin()\n",
        "images::size_that_upstream and 8.4.190",
    ),
    Break(
        "an image that is thin as a thread is one of them",
        IMAGES,
        "max(1, round(side * fit))",
        "round(side * fit)",
        "images::what_is_used and 8.4.190",
    ),
    Break(
        "there are as many images without labels as asked for, also where that is none in a step",
        IMAGES,
        "        count = self._due() - before\n",
        "        count = max(1, self._due() - before)\n",
        "images::fewer_of_them and 8.4.190",
    ),
    Break(
        "a resumed run goes on with the images that come next",
        IMAGES,
        "if drawn >= self.begin and drawn",
        "if drawn",
        "images::resumed_run and 8.4.190",
    ),
    Break(
        "a resumed run knows which images come next",
        "patches/distiller.py",
        '            self.images.labelled = state.get("images", 0)\n',
        "            pass\n",
        "images::resumed_run and 8.4.190",
    ),
    Break(
        "an online teacher takes no statistics of images without labels",
        "patches/distill_teachers.py",
        "        self.model.eval()\n        try:\n",
        "        try:\n",
        "images::online_teacher and 8.4.190",
    ),
)
