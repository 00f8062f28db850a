"""What the documents say agrees with the programs.

usage: docs.py ROOT HELP EMBEDDING COLLECTOR...
HELP is a program that prints midden_config_help, EMBEDDING the one of docs/embedding.md.
"""
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

TOOL_HEADERS = ("debug.h", "graph.h", "map.h", "pauses.h", "profile.h")
TOOL_OPTIONS = ("memory-checker", "stress", "poison", "verify", "guard", "unrooted", "log", "timeline", "profile", "census")


def lines(text):
    """Lines without their indentation: an excerpt may be indented differently."""
    return [line.strip() for line in text.strip().splitlines()]


def occurs(part, whole):
    return any(whole[i : i + len(part)] == part for i in range(len(whole) - len(part) + 1))


def code_errors(documents, examples):
    """Each C block is an excerpt of a program that is compiled and run."""
    errors, blocks = [], 0
    for path, text in documents.items():
        for language, block in BLOCK.findall(text):
            if language != "c":
                continue
            blocks += 1
            if not any(occurs(lines(block), example) for example in examples):
                errors.append(f"{path.name}: this C code is in no file of docs/examples:\n{block}")
    return errors + ([] if blocks else ["no C block was checked"])


def link_errors(documents):
    return [
        f"{path.name}: {target} does not exist"
        for path, text in documents.items()
        for target in LINK.findall(text)
        if "://" not in target and not (path.parent / target).exists()
    ]


def anchors(text):
    """What a page's headings are called in links: as GitHub and others make it of them."""
    headings = HEADING.findall(BLOCK.sub("", text))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def anchor_errors(documents):
    pages = {path.resolve(): anchors(text) for path, text in documents.items()}
    return [
        f"{path.name}: {target}#{anchor} is no heading"
        for path, text in documents.items()
        for target, anchor in ANCHOR.findall(text)
        if "://" not in target and anchor not in pages.get((path.parent / target if target else path).resolve(), ())
    ]


def design_errors(folder):
    """The index of the design notes names each of them."""
    named = LINK.findall((folder / "README.md").read_text())
    return [
        f"docs/design/README.md: {path.name} is missing"
        for path in sorted(folder.glob("*.md"))
        if path.name != "README.md" and path.name not in named
    ]


def collector_errors(readme, page, collectors):
    """README's table and the sections of docs/collectors.md name the collectors of the build."""
    rows = re.findall(r"^\| `([a-z-]+)` \|", readme, re.MULTILINE)
    sections = re.findall(r"^## `([a-z-]+)`$", page, re.MULTILINE)
    return [
        f"{where}: describes {found}, the build has {collectors}"
        for where, found in (("README.md", rows), ("docs/collectors.md", sections))
        if found != collectors
    ]


def option_errors(page, help_text):
    """docs/tuning.md quotes the help and has one section for each option."""
    errors = []
    if lines(help_text) not in [lines(block) for language, block in BLOCK.findall(page) if language == "text"]:
        errors.append(f"docs/tuning.md: the help is not quoted as it is:\n{help_text}")
    names = [re.match(r"\s*([a-z-]+)", line).group(1) for line in help_text.splitlines() if line.strip()]
    sections = re.findall(r"^## `([a-z-]+)`$", page, re.MULTILINE)
    if sections != names:
        errors.append(f"docs/tuning.md: describes {sections}, the options are {names}")
    return errors


def tool_errors(root, page, help_text):
    """docs/debugging.md names each call of the debugging tools' headers, and their options."""
    calls = [
        name
        for header in TOOL_HEADERS
        for name in re.findall(r"^MIDDEN_API [^;(]*?(midden_\w+)\(", (root / "include" / "midden" / header).read_text(), re.MULTILINE)
    ]
    options = [f"{name}=" for name in TOOL_OPTIONS if re.search(rf"^\s*{name}:", help_text, re.MULTILINE)]
    index = page.partition("## All options and calls")[2]
    return [f"docs/debugging.md: {name} is not in the last section" for name in calls + options if f"`{name}" not in index] + (
        [] if calls and len(options) == len(TOOL_OPTIONS) else ["no calls or options of the tools were found"]
    )


def refusal_errors(embedding):
    """The guide's host says what is wrong with an option, and ends in the ordinary way."""
    result = subprocess.run([embedding, "collector=unheard-of"], capture_output=True, text=True)
    if result.returncode == 2 and "unheard-of" in result.stderr:
        return []
    return [f"{embedding} answers a bad option with status {result.returncode} and {result.stderr!r}"]


def main(root, help_program, embedding, collectors):
    paths = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]
    documents = {path: path.read_text() for path in paths}
    guides = {p: t for p, t in documents.items() if "design" not in p.relative_to(root).parts}
    examples = [lines(path.read_text()) for path in (root / "docs" / "examples").glob("*.c")]
    help_text = subprocess.run([help_program], check=True, capture_output=True, text=True).stdout
    errors = code_errors(guides, examples) + link_errors(documents) + anchor_errors(documents)
    errors += refusal_errors(embedding)
    errors += design_errors(root / "docs" / "design")
    errors += collector_errors(documents[root / "README.md"], documents[root / "docs" / "collectors.md"], collectors)
    errors += option_errors(documents[root / "docs" / "tuning.md"], help_text)
    errors += tool_errors(root, documents[root / "docs" / "debugging.md"], help_text)
    sys.exit("\n".join(errors) if errors else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
