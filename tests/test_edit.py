"""What a hunk makes of a source: pairs of texts, before and after, for each kind of edit."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hunks import patched, patched_bytes, plan

from distillpatch.engine.pattern import PatternError
from distillpatch.engine.plan import PlanError
from distillpatch.engine.text import SourceError


def check(before: str, hunk: str, after: str, scope: str = "<module>") -> None:
    assert patched(before, hunk, scope) == dedent(after)


# Statements.


def test_insert_behind_a_statement() -> None:
    check(
        """\
        a = 1
        b = 2
        """,
        """\
          a = 1
        + new = a
        """,
        """\
        a = 1
        new = a
        b = 2
        """,
    )


def test_insert_before_a_statement() -> None:
    check(
        """\
        a = 1
        b = 2
        """,
        """\
        + new = a
          b = 2
        """,
        """\
        a = 1
        new = a
        b = 2
        """,
    )


def test_insert_into_a_nested_block_with_its_indentation() -> None:
    check(
        """\
        class A:
            def f(self):
                with self.x:
                    for i in self.x:
                        step(i)
                return 1
        """,
        """\
          step(i)
        + if i:
        +     more(i)
        """,
        """\
        class A:
            def f(self):
                with self.x:
                    for i in self.x:
                        step(i)
                        if i:
                            more(i)
                return 1
        """,
        scope="A.f",
    )


def test_insert_at_the_head_of_a_body_behind_the_docstring() -> None:
    check(
        '''\
        def f(x):
            """Do."""
            if x:
                return 1
        ''',
        """\
        + start()
          if $X:
              return 1
        """,
        '''\
        def f(x):
            """Do."""
            start()
            if x:
                return 1
        ''',
        scope="f",
    )


def test_insert_at_the_head_of_a_nested_body() -> None:
    check(
        """\
        def f(x):
            for i in x:
                a(i)
                b(i)
        """,
        """\
          for i in x:
        +     new(i)
              ...
        """,
        """\
        def f(x):
            for i in x:
                new(i)
                a(i)
                b(i)
        """,
    )


def test_insert_at_the_end_of_a_nested_body() -> None:
    check(
        """\
        def f(x):
            for i in x:
                a(i)
                b(i)
            return x
        """,
        """\
          for i in x:
              ...
        +     new(i)
        """,
        """\
        def f(x):
            for i in x:
                a(i)
                b(i)
                new(i)
            return x
        """,
    )


def test_insert_behind_a_block() -> None:
    check(
        """\
        for m in model.modules():
            a(m)
            if m:
                b(m)
        done()
        """,
        """\
          for m in model.modules():
              ...
        + new()
        """,
        """\
        for m in model.modules():
            a(m)
            if m:
                b(m)
        new()
        done()
        """,
    )


def test_insert_between_two_statements_that_must_both_be_there() -> None:
    check(
        """\
        a()
        b()
        a()
        c()
        """,
        """\
          a()
        + new()
          c()
        """,
        """\
        a()
        b()
        a()
        new()
        c()
        """,
    )


def test_insert_behind_a_gap_that_may_be_empty() -> None:
    hunk = """\
      a()
      ...
    + new()
      z()
    """
    check("a()\nz()\n", hunk, "a()\nnew()\nz()\n")
    check("a()\nb()\nz()\n", hunk, "a()\nb()\nnew()\nz()\n")


def test_a_blank_line_in_front_makes_a_paragraph() -> None:
    check(
        """\
        def f():
            while x:
                a = 1
                b = 2
        """,
        """\
          a = 1
        +
        + # why
        + new = 1
        """,
        """\
        def f():
            while x:
                a = 1

                # why
                new = 1

                b = 2
        """,
    )


@pytest.mark.parametrize("below", ["\nb = 2\n", "", "# end"])
def test_a_paragraph_is_followed_by_one_blank_line_at_most(below: str) -> None:
    space = "\n" if below.startswith("#") else ""
    check(f"a = 1\n{below}", "  a = 1\n+\n+ new = 1\n", f"a = 1\n\nnew = 1\n{space}{below}")


def test_a_paragraph_at_the_end_of_a_block_has_no_blank_line_behind_it() -> None:
    check(
        "if x:\n    a = 1\nb = 2\n",
        "  if x:\n      a = 1\n+\n+     new = 1\n",
        "if x:\n    a = 1\n\n    new = 1\nb = 2\n",
    )


def test_a_blank_line_in_front_inside_a_nested_block() -> None:
    check(
        "if x:\n    a = 1\n",
        """\
          if x:
              a = 1
        +
        +     new = 1
        """,
        "if x:\n    a = 1\n\n    new = 1\n",
    )


def test_insert_behind_the_last_line_of_a_file_without_a_final_newline() -> None:
    check("a = 1", "  a = 1\n+ new = 2\n", "a = 1\nnew = 2")


def test_insert_before_the_last_line_of_a_file_without_a_final_newline() -> None:
    check("a = 1", "+ new = 2\n  a = 1\n", "new = 2\na = 1")


def test_two_insertions_in_one_hunk() -> None:
    check(
        """\
        a()
        b()
        """,
        """\
        + before()
          a()
        + between()
          b()
        + behind()
        """,
        """\
        before()
        a()
        between()
        b()
        behind()
        """,
    )


def test_two_hunks_at_one_place_come_out_in_their_order() -> None:
    done = plan("a()\nb()\n", "--- m.py\n  a()\n+ one()\n\n--- m.py\n+ two()\n  b()\n")
    assert done.changes[0].after == b"a()\none()\ntwo()\nb()\n"


def test_a_trailing_comment_stays_with_its_statement() -> None:
    check("a = 1  # first\nb = 2\n", "  a = 1\n+ new = 3\n", "a = 1  # first\nnew = 3\nb = 2\n")


def test_comments_above_a_statement_stay_with_it() -> None:
    check(
        """\
        def f():
            a()

            # Backward
            # pass
            b()
        """,
        "+ new()\n  b()\n",
        """\
        def f():
            a()

            new()
            # Backward
            # pass
            b()
        """,
    )


def test_a_comment_at_the_end_of_the_block_above_stays_there() -> None:
    check(
        """\
        if a:
            b()
            # of the block
        c()
        """,
        "+ new()\n  c()\n",
        """\
        if a:
            b()
            # of the block
        new()
        c()
        """,
    )


def test_a_string_that_ends_like_a_comment_is_not_cut_in_two() -> None:
    check('a = """\n# text"""\nb()\n', "+ new()\n  b()\n", 'a = """\n# text"""\nnew()\nb()\n')


def test_insert_behind_a_block_and_the_comments_that_end_it() -> None:
    check(
        """\
        def f():
            for i in x:
                a()
                # b()
            # c
            c()
        """,
        """\
          for i in x:
              ...
        + new()
        """,
        """\
        def f():
            for i in x:
                a()
                # b()
            new()
            # c
            c()
        """,
    )


def test_replace_a_statement() -> None:
    check(
        """\
        def f(x):
            # sum up
            return {k: v for k, v in x.items()}  # all
        """,
        """\
        - return {$KEY: $VALUE for k, v in x.items()}
        + result = {$KEY: $VALUE for k, v in x.items()}
        + return result
        """,
        """\
        def f(x):
            # sum up
            result = {k: v for k, v in x.items()}
            return result  # all
        """,
    )


def test_replace_a_statement_between_others() -> None:
    check(
        """\
        while x:
            a()
            b()
            c()
        """,
        """\
          a()
        - b()
        + if y:
        +     new()
          c()
        """,
        """\
        while x:
            a()
            if y:
                new()
            c()
        """,
    )


def test_replace_a_statement_in_a_nested_block() -> None:
    check(
        """\
        for i in x:
            a()
            b()
        """,
        """\
          for i in x:
              a()
        -     b()
        +     new()
        """,
        """\
        for i in x:
            a()
            new()
        """,
    )


# Expressions.


def test_replace_an_expression_wherever_it_stands() -> None:
    check(
        "def f(self):\n    return '%s' * (4 + len(self.names))\n",
        "- len(self.names)\n+ len(self.names) + len(self.more)\n",
        "def f(self):\n    return '%s' * (4 + len(self.names) + len(self.more))\n",
    )


def test_an_expression_keeps_the_parentheses_and_comments_around_it() -> None:
    check(
        "x = g(\n    (a),  # first\n    b,\n)\n",
        "- a\n+ new(a)\n",
        "x = g(\n    (new(a)),  # first\n    b,\n)\n",
    )


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("y = 2 * n", "y = 2 * (n + 1)"),
        ("y = 2 * len(n)", "y = 2 * (len(n) + 1)"),
        ("y = 2 * (a if b else c)", "y = 2 * ((a if b else c) + 1)"),
        ("y = 2 * (a + b)", "y = 2 * ((a + b) + 1)"),
        ("y = 2 * -n", "y = 2 * ((-n) + 1)"),
        ("y = 2 * 'a' 'b'", "y = 2 * (('a' 'b') + 1)"),
    ],
)
def test_a_hole_keeps_its_meaning_wherever_it_is_used_again(code: str, becomes: str) -> None:
    check(code, "- 2 * $N\n+ 2 * ($N + 1)\n", becomes)


def test_a_hole_is_used_again_in_inserted_lines() -> None:
    check(
        "for name, mod in model.named_modules():\n    pass\n",
        """\
          for $NAME, $MODULE in $MODEL.named_modules():
              ...
        + group($MODEL)
        """,
        "for name, mod in model.named_modules():\n    pass\ngroup(model)\n",
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("hunk", "becomes"),
    [
        (
            "- x = f($V)\n+ if t:\n+     x = g(\n+         $V\n+     )\n",
            "if t:\n        x = g(\n            {}\n        )",
        ),
        ("  x = f($V)\n+ if t:\n+     g($V)\n", "x = f({})\n    if t:\n        g({})"),
        ("  x = f(\n      $V,\n+     new=$V,\n  )\n", "x = f({}, new={})"),
        ("- f($V)\n+ g($V)\n", "x = g({})"),
    ],
    ids=["replaced statement", "added statements", "argument", "expression"],
)
def test_a_hole_of_several_lines_stays_as_it_is(hunk: str, becomes: str, newline: str) -> None:
    value = "h(a,\n  '''\tb,\n\n c''',\n      d)"
    head, before, after = "def m():\n    a = 1\n    ", f"x = f({value})", becomes.replace("{}", value)
    source, expected = ((head + text + "\n").replace("\n", newline).encode() for text in (before, after))
    assert patched_bytes(source, hunk, "m") == expected


def test_replace_an_argument() -> None:
    check(
        "f(\n    a,  # first\n    b,\n)\n",
        """\
          f(
        -     a,
        +     new,
              b,
          )
        """,
        "f(\n    new,  # first\n    b,\n)\n",
    )


# Arguments.

ARGUMENT = """\
  f(
      ...,
+     new=1,
  )
"""


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("f(a)\n", "f(a, new=1)\n"),
        ("f(a, b=2)\n", "f(a, b=2, new=1)\n"),
        ("f(a,)\n", "f(a, new=1,)\n"),
        ("f((a))\n", "f((a), new=1)\n"),
        ("f(((a) ))\n", "f(((a) ), new=1)\n"),
        ("f(b=(1, 2))\n", "f(b=(1, 2), new=1)\n"),
        ("f(*args, **options)\n", "f(*args, **options, new=1)\n"),
        ("x = f(a) + 1\n", "x = f(a, new=1) + 1\n"),
        ("f(\n    a,\n    b,\n)\n", "f(\n    a,\n    b,\n    new=1,\n)\n"),
        ("f(\n    a,\n    b\n)\n", "f(\n    a,\n    b,\n    new=1\n)\n"),
        ("f(\n    a,\n    b)\n", "f(\n    a,\n    b,\n    new=1)\n"),
        ("f(a,\n  b)\n", "f(a,\n  b,\n  new=1)\n"),
        ("f(\n    a, b\n)\n", "f(\n    a, b, new=1\n)\n"),
        ("f(\n    a,  # first\n    b,  # last\n)\n", "f(\n    a,  # first\n    b,  # last\n    new=1,\n)\n"),
        ("f(\n    a,  # first\n    b  # last\n)\n", "f(\n    a,  # first\n    b,  # last\n    new=1\n)\n"),
        ("f(\n    a,\n    # b,\n)\n", "f(\n    a,\n    new=1,\n    # b,\n)\n"),
        ("f(\n    a  # ,\n    ,\n)\n", "f(\n    a  # ,\n    ,\n    new=1,\n)\n"),
        ("f(a  # )\n  )\n", "f(a, new=1  # )\n  )\n"),
        ("f(\n    g(\n        b,\n    ),\n)\n", "f(\n    g(\n        b,\n    ),\n    new=1,\n)\n"),
        ("f(\n\ta,\n)\n", "f(\n\ta,\n\tnew=1,\n)\n"),
    ],
)
def test_add_an_argument(code: str, becomes: str) -> None:
    assert patched_bytes(code.encode(), ARGUMENT).decode() == becomes


ARGUMENTS = "  f(\n      ...,\n+     second=1,\n+     third=2,\n  )\n"


def test_arguments_that_would_overflow_the_line_go_one_below_the_other() -> None:
    name = "n" * 100
    check(
        f"if x:\n    f(first, *{name}) + [1]\n",
        ARGUMENTS,
        f"if x:\n    f(\n        first,\n        *{name},\n        second=1,\n        third=2,\n    ) + [1]\n",
    )
    check(
        f"if x:\n\tf({name!r}, )  # why\n",
        ARGUMENTS,
        f"if x:\n\tf(\n\t\t{name!r},\n\t\tsecond=1,\n\t\tthird=2,\n\t)  # why\n",
    )


def test_a_comment_behind_them_counts_for_the_overflow() -> None:
    comment = "# " + "n" * 100
    check(
        f"x = f(a)  {comment}\n",
        ARGUMENTS,
        f"x = f(\n    a,\n    second=1,\n    third=2,\n)  {comment}\n",
    )


def test_parameters_that_would_overflow_the_line_go_one_below_the_other() -> None:
    name = "n" * 100
    check(
        f"def f(self, *, {name}: int = 1):\n  pass\n",
        PARAMETER,
        f"def f(\n  self,\n  *,\n  {name}: int = 1,\n  new=None,\n):\n  pass\n",
        scope="f",
    )
    check(
        f"def f(self, {name}, **kwargs):\n    pass\n",
        PARAMETER,
        f"def f(self, {name},\n      new=None, **kwargs):\n    pass\n",
        scope="f",
    )


def test_arguments_on_several_lines_keep_their_lines() -> None:
    name = "n" * 100
    check(
        f"f(a,\n  b, {name})\n",
        ARGUMENTS,
        f"f(a,\n  b, {name},\n  second=1, third=2)\n",
    )


def test_several_arguments_line_by_line() -> None:
    check(
        "f(\n    a,\n)\n",
        "  f(\n      ...,\n+     b=1,\n+     c=2,\n  )\n",
        "f(\n    a,\n    b=1,\n    c=2,\n)\n",
    )


def test_an_argument_in_front() -> None:
    check("f(a, b)\n", "  f(\n+     new,\n      a,\n      ...,\n  )\n", "f(new, a, b)\n")


def test_an_argument_in_between() -> None:
    hunk = "  f(\n      $A,\n      *$B,\n+     *new,\n      ...,\n  )\n"
    check("f(a, *b, c, d)\n", hunk, "f(a, *b, *new, c, d)\n")
    check(
        "f(\n    a,\n    *b,\n    c,\n)\n",
        hunk,
        "f(\n    a,\n    *b,\n    *new,\n    c,\n)\n",
    )


# Parameters.

PARAMETER = """\
  def f(
      self,
      ...,
+     new=None,
  ):
      ...
"""


@pytest.mark.parametrize(
    ("signature", "becomes"),
    [
        ("def f(self):", "def f(self, new=None):"),
        ("def f(self, a, b=1):", "def f(self, a, b=1, new=None):"),
        ("def f(self, **kwargs):", "def f(self, new=None, **kwargs):"),
        ("def f(self, a=1, **kwargs):", "def f(self, a=1, new=None, **kwargs):"),
        ("def f(self, *args):", "def f(self, *args, new=None):"),
        ("def f(self, *args, **kwargs):", "def f(self, *args, new=None, **kwargs):"),
        ("def f(self, *, a):", "def f(self, *, a, new=None):"),
        ("def f(self, a, /):", "def f(self, a, /, new=None):"),
        ("def f(self, a, /, **kwargs):", "def f(self, a, /, new=None, **kwargs):"),
        ("def f(self, a: int = 1) -> None:", "def f(self, a: int = 1, new=None) -> None:"),
        ("def f(self, a: int) -> None:", "def f(self, a: int, new=None) -> None:"),
        ("def f(self, a: (int)):", "def f(self, a: (int), new=None):"),
        ("def f(self, a=(1)):", "def f(self, a=(1), new=None):"),
        ("def f(self, a=(1, 2),):", "def f(self, a=(1, 2), new=None,):"),
        ("async def f(self):", "async def f(self, new=None):"),
        ("def f(\n    self,\n    a=1,\n):", "def f(\n    self,\n    a=1,\n    new=None,\n):"),
        ("def f(\n    self,\n    a=1  # one\n):", "def f(\n    self,\n    a=1,  # one\n    new=None\n):"),
        ("def f(\n    self,\n    **kwargs,\n):", "def f(\n    self,\n    new=None,\n    **kwargs,\n):"),
        ("def f(self,\n      a=1):", "def f(self,\n      a=1,\n      new=None):"),
        (
            f"def f(self, {'a' * 90}=1, **kwargs):",
            f"def f(self, {'a' * 90}=1,\n      new=None, **kwargs):",
        ),
    ],
)
def test_add_a_parameter(signature: str, becomes: str) -> None:
    assert patched(f"{signature}\n    pass\n", PARAMETER) == f"{becomes}\n    pass\n"


def test_a_decorated_method_gets_a_parameter() -> None:
    check(
        "class A:\n    @property\n    @cached(1)\n    def f(self):\n        pass\n",
        PARAMETER,
        "class A:\n    @property\n    @cached(1)\n    def f(self, new=None):\n        pass\n",
        scope="A.f",
    )


# Elements.


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ('{"a"}', '{"a", "new"}'),
        ('{"a", "b",}', '{"a", "b", "new",}'),
        ('{\n    "a",\n    "b",\n}', '{\n    "a",\n    "b",\n    "new",\n}'),
        ('{("a")}', '{("a"), "new"}'),
    ],
)
def test_add_an_element_to_a_set(code: str, becomes: str) -> None:
    check(f"x = {code}\n", '  {\n      "a",\n      ...,\n+     "new",\n  }\n', f"x = {becomes}\n")


@pytest.mark.parametrize(
    ("code", "becomes"),
    [("['a']", "['a', 'new']"), ("[*b, 'a']", "[*b, 'a', 'new']"), ("[\n  'a'\n]", "[\n  'a',\n  'new'\n]")],
)
def test_add_an_element_to_a_list(code: str, becomes: str) -> None:
    check(f"x = {code}\n", "  [\n      ...,\n+     'new',\n  ]\n", f"x = {becomes}\n")


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ('("a",)', '("a", "new",)'),
        ('("a", "b")', '("a", "b", "new")'),
        ('"a", "b"', '"a", "b", "new"'),
        ('"a",', '"a", "new",'),
        ('("a", *b)', '("a", *b, "new")'),
    ],
)
def test_add_an_element_to_a_tuple(code: str, becomes: str) -> None:
    check(f"x = {code}\n", '  (\n      "a",\n      ...,\n+     "new",\n  )\n', f"x = {becomes}\n")


# Imports.


def test_an_import_goes_where_sorting_puts_it() -> None:
    check(
        '"""Doc."""\n\nimport os\n\nfrom p.a import a\nfrom p.c import c\n\nx = 1\n',
        "+ from p.b import b\n",
        '"""Doc."""\n\nimport os\n\nfrom p.a import a\nfrom p.b import b\nfrom p.c import c\n\nx = 1\n',
    )


@pytest.mark.parametrize(
    ("head", "becomes"),
    [
        ("from p.a import a\n", "from p.a import a\nfrom p.b import b\n"),
        ("from p.c import c\n", "from p.b import b\nfrom p.c import c\n"),
        ("from p.c import c\nfrom p.a import a\n", "from p.b import b\nfrom p.c import c\nfrom p.a import a\n"),
        ("import os\nimport sys\n", "import os\nimport sys\nfrom p.b import b\n"),
        ("from p.a import (\n    a,\n    z,\n)\n", "from p.a import (\n    a,\n    z,\n)\nfrom p.b import b\n"),
        ("from __future__ import annotations\n", "from __future__ import annotations\nfrom p.b import b\n"),
        ("import os", "import os\nfrom p.b import b"),
        ('"""Doc."""\n\nx = 1\n', '"""Doc."""\nfrom p.b import b\n\n\nx = 1\n'),
        ("# Licence\nx = 1\n", "# Licence\nfrom p.b import b\n\nx = 1\n"),
        ("import os\r\nx = 1\r\n", "import os\r\nfrom p.b import b\r\nx = 1\r\n"),
        ("import os\ntry:\n    import z\nexcept ImportError:\n    z = 0\n", None),
        ("import os\n\n\ndef f():\n    from p.a import a\n", None),
    ],
)
def test_an_import_at_the_head_of_a_file(head: str, becomes: str | None) -> None:
    expected = becomes or head.replace("import os\n", "import os\nfrom p.b import b\n")
    assert patched_bytes(head.encode(), "+ from p.b import b\n").decode() == expected


# What is refused: nothing is guessed.


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\n", "found none"),
        ("a()\na()\n", "found 2"),
        ("a()\nif x:\n    a()\n", "found 2"),
        ("# a()\n", "found none"),
        ("'a()'\n", "found none"),
        ('"""\na()\n"""\n', "found none"),
        ("b.a()\n", "found none"),
        ("a(1)\n", "found none"),
        ("await_ = a\n", "found none"),
        ("x = a()\n", "found none"),
        ("a(); b()\n", "found none"),
        ("if x: a()\n", "found none"),
        ("if x:\n    a()\n", "found in a branch"),
        ("if x:\n    b()\nelse:\n    a()\n", "found in a branch"),
        ("try:\n    b()\nexcept E:\n    a()\n", "found in a branch"),
        ("class A:\n    def f(self):\n        a()\n", "found in a branch"),
    ],
)
def test_refused_unless_the_anchor_is_there_exactly_once(code: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        patched(code, "  a()\n+ new()\n")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\n", "expected the scope A.f once, there is none of that name"),
        ("class B:\n    def f(self):\n        a()\n", "there is none of that name"),
        ("class A:\n    def g(self):\n        a()\n", "there is none of that name"),
        ("def f():\n    a()\n", "there is none of that name"),
        ("class A:\n    def f(self):\n        a()\n\n    def f(self):\n        a()\n", "found 2 of that name"),
        ("class A:\n    def f(self):\n        a()\n\n\nclass A:\n    def f(self):\n        a()\n", "found 2"),
        ("if x:\n    def A(): ...\nelse:\n    a()\n", "there is none of that name"),
    ],
)
def test_refused_unless_the_scope_is_there_exactly_once(code: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        patched(code, "  a()\n+ new()\n", "A.f")


def test_a_function_inside_the_scope_may_never_be_called() -> None:
    with pytest.raises(PlanError, match="found in a branch"):
        patched("def f():\n    def g():\n        a()\n", "  a()\n+ new()\n", "f")


@pytest.mark.parametrize(
    ("code", "hunk"),
    [
        ("b()\na()\nc()\n", "  a()\n+ new()\n+ newer()\n"),
        ("b()\na()\nc()\n", "+ new()\n+ newer()\n  a()\n"),
        ("b()\na()\nc()\n", "  a()\n+\n+ new()\n"),
        ("b()\nx = a(\n    1,\n    2,\n)\n", "  x = $A\n+ new($A)\n"),
        ("b()\nx = [1, 2]\n", "  x = [\n      1,\n+     new,\n      ...,\n  ]\n"),
        ("b()\nx = [1, 2]\n", "  x = [\n      ...,\n+     new,\n+     newer,\n  ]\n"),
        ("b()\nx = [\n    1,\n    2\n]\n", "  x = [\n      ...,\n+     new,\n  ]\n"),
        ("b()\nx = [\n    1,\n    2,\n]\n", "  x = [\n      ...,\n+     new,\n  ]\n"),
        ("b()\nf(1, 2)\n", "  f(\n+     new,\n      ...,\n  )\n"),
        ("b()\nf(1, 2)\n", "  f(\n      ...,\n+     **new(),\n  )\n"),
    ],
)
def test_what_is_added_and_is_there_already_is_refused(code: str, hunk: str) -> None:
    """Without a state nobody knows that the hunk was applied before."""
    once = patched(code, hunk)
    with pytest.raises(PlanError, match="the lines that it adds are there already"):
        patched(once, hunk)
    with pytest.raises(PlanError, match="the lines that it adds are there already"):
        patched(once, f"{hunk}or\n  b()\n+ newest()\n")
    assert patched(once.replace("new", "now"), hunk).count("new") == once.count("new")


def test_an_alternative_that_fits_twice_is_not_passed_over() -> None:
    """The code has its shape, so the other one would land where it is not meant to."""
    with pytest.raises(PlanError, match="expected one match, found 2"):
        patched("a()\na()\nb()\n", "  a()\n+ new()\nor\n  b()\n+ new()\n")


@pytest.mark.parametrize(
    ("code", "hunk", "scope"),
    [
        ("def f(new):\n    pass\n", "  def f(\n      ...,\n+     new=None,\n  ):\n      ...\n", "f"),
        ("f(new=1)\n", "  f(\n      ...,\n+     new=2,\n  )\n", "<module>"),
    ],
)
def test_what_python_would_not_compile_is_refused(code: str, hunk: str, scope: str) -> None:
    with pytest.raises(PlanError, match=r"(?s)would leave m\.py broken.*does not compile \(line 1\)"):
        patched(code, hunk, scope)


@pytest.mark.parametrize("code", ["def new(): ...\n", "class new: ...\n"])
def test_an_import_is_refused_where_the_file_has_a_definition_of_that_name(code: str) -> None:
    with pytest.raises(PlanError, match="the file defines new itself"):
        patched(f"import a\n\n\n{code}", "+ from a.b import new\n")


def test_only_the_scope_is_looked_into() -> None:
    check(
        "class A:\n    def f(self):\n        a()\n\n\nclass B:\n    def f(self):\n        a()\n",
        "  a()\n+ new()\n",
        "class A:\n    def f(self):\n        a()\n        new()\n\n\nclass B:\n    def f(self):\n        a()\n",
        scope="A.f",
    )


@pytest.mark.parametrize("head", ["if x:\n", "try:\n", "with x:\n", "class Outer:\n"])
def test_a_scope_may_stand_in_a_block(head: str) -> None:
    tail = "except E:\n    pass\n" if head.startswith("try") else ""
    scope = "Outer.A.f" if "Outer" in head else "A.f"
    body = "    class A:\n        def f(self):\n            while x:\n                a()\n"
    new = "                if y:\n                    new()\n"
    assert patched(head + body + tail, "  a()\n+ if y:\n+     new()\n", scope) == head + body + new + tail


def test_a_file_that_did_not_compile_before_is_blamed_for_it() -> None:
    with pytest.raises(SourceError, match=r"^m\.py does not compile \(line 3\): duplicate argument"):
        patched("a()\n\ndef f(x, x): ...\n", "  a()\n+ new()\n")


def test_refused_when_the_result_would_not_parse() -> None:
    with pytest.raises(PlanError, match=r"would leave m\.py broken"):
        patched("a()\n", "  a()\n+ new(\n")


def test_refused_when_a_bracket_is_empty() -> None:
    with pytest.raises(PlanError, match=r"neither after nor before"):
        patched("f()\n", ARGUMENT)


def test_refused_when_the_replaced_lines_are_a_part_of_an_expression() -> None:
    with pytest.raises(PatternError, match=r"01-test\.patch:4: expected '-' lines that are whole statements"):
        patched("f(\n    a +\n    b,\n)\n", "  f(\n      a +\n-     b,\n+     c,\n  )\n")


def test_refused_when_two_hunks_change_the_same_code() -> None:
    with pytest.raises(PlanError, match=r"^m\.py: two hunks change the code that becomes 'b': expected one"):
        plan("x = a\n", "--- m.py\n- a\n+ b\n\n--- m.py\n- x = a\n+ x = c\n")


# Removed: lines with "-" and none with "+".

REMOVED = """\
  f(
      ...,
-     b,
      ...,
  )
"""


@pytest.mark.parametrize(
    ("before", "hunk", "after"),
    [
        ("a()\nb()\nc()\n", "  a()\n- b()\n", "a()\nc()\n"),
        ("a()\nb()", "- a()\n", "b()"),
        ("a()\nb()", "- b()\n", "a()\n"),
        ("a()\nif b:\n    c()\n    # of the body\n# of d\nd()\n", "- if b:\n-     ...\n", "a()\n# of d\nd()\n"),
        ("a()\n@b\n@c\ndef f():\n    pass\nd()\n", "- @$X\n- @$Y\n- def f():\n-     ...\n", "a()\nd()\n"),
        ("with a:\n    # why\n    c()\n    d()\n", "  with a:\n      $X\n-     d()\n", "with a:\n    # why\n    c()\n"),
        ("a()\nb(1)\nc()\nd()\n", "  a()\n- b($X)\n- ...\n- c()\n", "a()\nd()\n"),
        ("f(a, b, c)\n", REMOVED, "f(a, c)\n"),
        ("f(a, b)\n", REMOVED, "f(a)\n"),
        ("f(a, b,)\n", REMOVED, "f(a,)\n"),
        ("f(b, c)\n", REMOVED, "f(c)\n"),
        ("f(b)\n", REMOVED, "f()\n"),
        ("f(b, )\n", REMOVED, "f()\n"),
        ("f(\n    a,  # one\n    b,  # two\n    c,\n)\n", REMOVED, "f(\n    a,  # one\n    c,\n)\n"),
        ("f(\n    a,\n    b  # two\n)\n", REMOVED, "f(\n    a,\n)\n"),
        ("f(\n    a, b,\n    c)\n", REMOVED, "f(\n    a, c)\n"),
        ("def f(a, b=(1), **c): ()\n", "  def f(\n      a,\n-     b=$B,\n      ...,\n  ): ()\n", "def f(a, **c): ()\n"),
        ("x = [a, b]\n", "  x = [\n-     a,\n      ...,\n  ]\n", "x = [b]\n"),
        ("x = (a, b)\n", "  x = (\n      a,\n-     b,\n  )\n", "x = (a,)\n"),
        ("x = (\n    a,\n    b,\n)\n", "  x = (\n      a,\n-     b,\n  )\n", "x = (\n    a,\n)\n"),
        ("x = {'a': 1, 'b': 2}\n", "  x = {\n-     'a': 1,\n      ...,\n  }\n", "x = {'b': 2}\n"),
    ],
)
def test_removed(before: str, hunk: str, after: str) -> None:
    assert patched(before, hunk) == after


@pytest.mark.parametrize(
    ("code", "hunk"),
    [
        ("if a:\n    b()\n", "  if a:\n-     b()\n"),
        ("x = {a}\n", "  x = {\n-     a,\n  }\n"),
    ],
)
def test_refused_when_nothing_would_be_left(code: str, hunk: str) -> None:
    with pytest.raises(PlanError, match="nothing would be left"):
        patched(code, hunk)


def test_refused_when_what_is_left_would_not_compile() -> None:
    with pytest.raises(PlanError, match=r"would leave m\.py broken"):
        patched("def f(a, *, b): pass\n", "  def f(\n      ...,\n-     b,\n  ): pass\n")


def test_elements_are_added_to_a_dict() -> None:
    hunk = '  {\n      "a": $A,\n      ...,\n+     "c": 3,\n  }\n'
    assert patched('x = {"a": 1, "b": 2}\n', hunk) == 'x = {"a": 1, "b": 2, "c": 3}\n'


def test_a_hunk_says_what_a_hole_may_stand_for() -> None:
    assert patched("f(a)\nf(b)\n", "  f($X)\n+ g($X)\nwhere $X is b | c\n") == "f(a)\nf(b)\ng(b)\n"


# Bytes that are none of the hunk's business.

BODY = b"class A:\n    def f(self):\n        x = 'q'   # c\n        a()\n        y = \"q\"\n"
PATCHED = BODY.replace(b"a()\n", b"a()\n        if z:\n            new()\n")


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"    ", b"\t"),
        lambda text: text.replace(b"    ", b"  "),
        lambda text: text.replace(b"    ", b"   "),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + text.replace(b"'q'", b"'\xe9\xff'"),
        lambda text: "# 漢字 😀\n".encode() + text.replace(b"# c", "# 漢字 😀".encode()),
        lambda text: text.replace(b"'q'", "'漢字 😀'".encode()),
        lambda text: text.rstrip(b"\n"),
        lambda text: b"\x0c\n" + text.replace(b"    def", b"\x0c\n    def"),
        lambda text: text.replace(b"class A", b"\x0cclass A") + b"\n\n\n",
        lambda text: text.replace(b"x = 'q'", b"x = '''\n# a()\n  '''"),
        lambda text: text.replace(b"x = 'q'", b"x = 1 + \\\n    2"),
        lambda text: text.replace(b"y =", b"y: 'int'  ="),
        lambda text: text.replace(b"# c", b"# c \t "),
        lambda text: b"#!/usr/bin/env python\n\n\n" + text,
    ],
)
def test_every_other_byte_survives(dress: object) -> None:
    assert callable(dress)
    assert patched_bytes(dress(BODY), "  a()\n+ if z:\n+     new()\n", "A.f") == dress(PATCHED)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_endings_of_replaced_and_added_items_are_the_files(newline: str) -> None:
    before = "f(\n    a,\n)\ng(a)\nx = b\ny = h()\n".replace("\n", newline)
    after = "f(\n    a,\n    new=1,\n)\ng(a)\nif c:\n    y = d\ny = h(\n    1)\n".replace("\n", newline)
    hunks = (ARGUMENT, "- x = b\n+ if c:\n+     y = d\n", "- h()\n+ h(\n+     1)\n")
    done = plan(before.encode(), "\n".join(f"--- m.py\n{hunk}" for hunk in hunks))
    assert done.changes[0].after == after.encode()
