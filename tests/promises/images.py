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
        "what is hidden is no image",
        IMAGES,
        "if not any(part[0] ==",
        "if not all(part[0] ==",
        "unlabelled::hidden",
    ),
    Break(
        "a folder is no image",
        IMAGES,
        " in SUFFIXES and image.is_file())",
        " in SUFFIXES)",
        "unlabelled::hidden",
    ),
    Break(
        "any image stands in for one that cannot be read",
        IMAGES,
        "np.random.default_rng(seed).permutation(len(self.paths))",
        "range(len(self.paths))",
        "unlabelled::any_other",
    ),
    Break(
        "an image that cannot be read is told once",
        IMAGES,
        " and path not in self.unread:",
        ":",
        "unlabelled::any_other",
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
    Break(
        "no image without labels is alone where it is too small",
        IMAGES,
        "self._least = 1 if args.imgsz >= 2 * stride else 2",
        "self._least = 1",
        "images::too_small and 8.4.190",
    ),
    Break(
        "an empty list of images is refused",
        IMAGES,
        "    if not paths:\n",
        "    if False:\n",
        "unlabelled::no_image_is_refused",
    ),
    Break(
        "a list of images may have a mark of Windows",
        IMAGES,
        'encoding="utf-8-sig"',
        'encoding="utf-8"',
        "unlabelled::folders_and_lists",
    ),
    Break(
        "a list of images is in no other list",
        IMAGES,
        "listed=True",
        "listed=False",
        "unlabelled::cannot_be_used",
    ),
    Break(
        "a range of scales is one",
        IMAGES,
        "args.scale if isinstance(args.scale, (list, tuple)) else (1 - args.scale, 1 + args.scale)",
        "(1 - args.scale, 1 + args.scale)",
        "unlabelled::gain_or_a_range",
    ),
)
