/* Writing captures of a heap as one page of HTML: see midden/map.h.
 *
 * Each square has one class for each thing that colours may say; the page's own class chooses which of them is seen.
 * Colours: for kinds those of Okabe and Ito (2008), for fullness and age scales from one of these to another, so that
 * they differ in lightness as well. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc/size_class.h"
#include "base/bits.h"
#include "base/error.h"
#include "debug/map.h"
#include "debug/map_text.h"

#define MAPS_MOST ((size_t)8)
#define SQUARES_MOST ((size_t)4096)
#define COLUMNS ((size_t)64)
#define PITCH ((size_t)11) /* pixels from square to square, with a gap of 1 */
#define COLOURED_KINDS ((size_t)7)
#define LISTED_KINDS ((size_t)24)
#define LEVELS 5u /* of fullness and age */

static const char HEAD[] =
    "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>"
    "<title>Heap map</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fdfdfb;--faint:#b4b4ae;--kept:#e4e4de}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e8e4;--paper:#191a1c;--faint:#62656a;--kept:#36393d}}\n"
    "body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:1.5em}\n"
    "h1{font-size:1.35em;margin:0 0 .4em}h2{font-size:1.1em;margin:.2em 0}p{margin:.25em 0}\n"
    "button{font:inherit;padding:.2em .9em;margin-right:.3em;border:1px solid var(--faint);border-radius:4px;"
    "background:none;color:inherit;cursor:pointer}\n"
    ".full .b-full,.kind .b-kind,.age .b-age{background:var(--ink);color:var(--paper)}\n"
    ".captures{display:flex;flex-wrap:wrap;gap:2.2em}.capture{max-width:704px}\n"
    ".key{display:flex;flex-wrap:wrap;gap:.2em 1.3em;margin:.7em 0;min-height:1.5em;align-items:center}\n"
    ".key span{display:inline-flex;align-items:center;gap:.4em}.key svg,td svg{width:14px;height:14px;flex:none}\n"
    ".l{display:none!important}.full .l-full,.kind .l-kind,.age .l-age{display:inline-flex!important}\n"
    "svg.map{width:100%;height:auto;display:block;margin:.5em 0}\n"
    "rect{stroke:none}.free{fill:var(--kept)}.back{fill:none;stroke:var(--faint);stroke-width:.7;stroke-dasharray:1.5 1.5}\n"
    ".s:hover{stroke:var(--ink);stroke-width:1.5}.mark{fill:#000;stroke:#fff;stroke-width:1}\n"
    ".hatch{stroke:#000;stroke-width:1;fill:none;opacity:.65}.corner{fill:#000;stroke:#fff;stroke-width:.5}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}\n"
    "td,th{padding:.12em .6em;text-align:right;border-bottom:1px solid var(--kept);font-weight:normal}\n"
    "th{color:var(--faint)}td:first-child,th:first-child{text-align:left;padding-left:0}td svg{margin-right:.5em;vertical-align:-2px}"
    ".full .of,.age .of{display:none}\n"
    ".full .f0{fill:#d55e00}.full .f1{fill:#e69f00}.full .f2{fill:#cfc79a}.full .f3{fill:#7db4dc}.full .f4{fill:#0072b2}\n"
    ".age .a0{fill:#f0d442}.age .a1{fill:#b9bd63}.age .a2{fill:#7fa37a}.age .a3{fill:#4d7f91}.age .a4{fill:#2f4f8f}\n"
    ".kind .k0{fill:#0072b2}.kind .k1{fill:#e69f00}.kind .k2{fill:#009e73}.kind .k3{fill:#cc79a7}\n"
    ".kind .k4{fill:#56b4e9}.kind .k5{fill:#d55e00}.kind .k6{fill:#f0e442}\n"
    ".kind .kx{fill:#8c8c8c}.kind .kb{fill:#bdb7ab}.any,.age .block{fill:#8c8c8c}\n"
    "</style></head>\n<body class=\"full\">\n<h1>Heap map</h1>\n"
    "<p><button class=\"b-full\" data-mode=\"full\">How full</button><button class=\"b-kind\" data-mode=\"kind\">Kinds</button>"
    "<button class=\"b-age\" data-mode=\"age\">Age</button></p>\n<div class=\"key\">";

static const char TAIL[] =
    "<script>\nfor (const button of document.querySelectorAll('button'))\n"
    "  button.onclick = () => { document.body.className = button.dataset.mode; };\n</script>\n</body></html>\n";

/* A page that is being written. */
struct map_writing {
  struct output *text;
  midden_map *const *maps;
  size_t count;
  size_t unit;                              /* pages of a square */
  const char *coloured[COLOURED_KINDS];     /* names, that with most pages first */
  const char *listed[LISTED_KINDS];         /* the same, and some more */
  size_t listed_count;
};

static size_t to_bytes(size_t pages) { return pages << PAGE_SHIFT; }

static void put_size(struct output *text, size_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
  unsigned unit = 0;
  double amount = (double)bytes;
  for (; amount >= 10240 && unit < 3; unit++) amount /= 1024;
  mdn_map_text_print(text, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

/* ---- kinds, by name: captures of different heaps number them differently ---- */

static size_t pages_of_name(const struct map_writing *page, const char *name) {
  size_t pages = 0;
  for (size_t m = 0; m < page->count; m++) {
    for (size_t i = 1; i < page->maps[m]->kind_count; i++) {
      if (strcmp(page->maps[m]->kinds[i].name, name) == 0) pages += page->maps[m]->kinds[i].pages;
    }
  }
  return pages;
}

static bool is_listed_name(const struct map_writing *page, const char *name) {
  for (size_t i = 0; i < page->listed_count; i++) {
    if (strcmp(page->listed[i], name) == 0) return true;
  }
  return false;
}

static void rank_kinds(struct map_writing *page) {
  for (; page->listed_count < LISTED_KINDS; page->listed_count++) {
    const char *best = NULL;
    size_t most = 0;
    for (size_t m = 0; m < page->count; m++) {
      for (size_t i = 1; i < page->maps[m]->kind_count; i++) {
        const struct map_kind *kind = &page->maps[m]->kinds[i];
        if (kind->pages == 0 || is_listed_name(page, kind->name)) continue;
        size_t pages = pages_of_name(page, kind->name);
        if (pages > most) best = kind->name, most = pages;
      }
    }
    if (!best) return;
    page->listed[page->listed_count] = best;
    if (page->listed_count < COLOURED_KINDS) page->coloured[page->listed_count] = best;
  }
}

/* The class of a kind's colour. */
static const char *kind_class(const struct map_writing *page, const char *name) {
  static const char *const classes[COLOURED_KINDS] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6"};
  for (size_t i = 0; i < COLOURED_KINDS && page->coloured[i]; i++) {
    if (strcmp(page->coloured[i], name) == 0) return classes[i];
  }
  return "kx";
}

/* ---- squares ---- */

/* What one square stands for. */
struct square {
  size_t first, pages;               /* of the heap */
  size_t used, free, returned, blocks, large, pinned;
  size_t full, old;                  /* percent, summed over the pages in use */
  unsigned kind;                     /* of the most of them */
};

/* The kind of most pages, by majority vote (Boyer, Moore 1981): where there is no majority, of many. */
static void vote(struct square *square, unsigned kind, size_t *lead) {
  if (*lead == 0) square->kind = kind;
  *lead = square->kind == kind ? *lead + 1 : *lead - 1;
}

static struct square gather_square(const midden_map *map, size_t first, size_t pages) {
  struct square square = {.first = first, .pages = pages};
  size_t lead = 0;
  for (size_t i = first; i < first + pages; i++) {
    const struct map_page *page = &map->pages[i];
    if (page->flags & MAP_FREE) {
      square.free++;
      square.returned += (page->flags & MAP_RETURNED) != 0;
      continue;
    }
    square.used++;
    square.blocks += (page->flags & MAP_BLOCK) != 0;
    square.large += (page->flags & MAP_LARGE) != 0;
    square.pinned += (page->flags & MAP_PINNED) != 0;
    square.full += page->full;
    square.old += page->old;
    vote(&square, page->flags & MAP_BLOCK ? 0 : page->kind, &lead);
  }
  return square;
}

static unsigned level_of(size_t percent) { return percent >= 100 ? LEVELS - 1 : (unsigned)(percent * LEVELS / 100); }

static void put_square_text(struct map_writing *page, const midden_map *map, const struct square *square) {
  struct output *text = page->text;
  mdn_output_text(text, "<title>");
  if (square->pages == 1) {
    mdn_map_text_print(text, "page %zu at %#zx: ", square->first, (size_t)map->base + to_bytes(square->first));
  } else {
    mdn_map_text_print(text, "pages %zu to %zu at %#zx: ", square->first, square->first + square->pages - 1,
                       (size_t)map->base + to_bytes(square->first));
  }
  if (square->used > 0) {
    if (square->pages > 1 && square->used > 0) mdn_output_text(text, "mostly ");
    mdn_map_text_escape(text, map->kinds[square->kind].name);
    if (square->pages == 1) {
      mdn_map_text_print(text, square->large ? ", large: %u bytes" : ", cells of %u bytes", map->pages[square->first].cell_size);
    }
    mdn_map_text_print(text, ", %zu %% full", square->full / square->used);
    if (square->blocks < square->used) mdn_map_text_print(text, ", %zu %% old", square->old / square->used);
    if (square->pinned > 0) mdn_output_text(text, ", pinned");
    if (square->free > 0) mdn_map_text_print(text, "; %zu of %zu pages free", square->free, square->pages);
  } else {
    mdn_output_text(text, square->returned == square->pages ? "free, returned to the system" : "free, kept");
  }
  mdn_output_text(text, "</title>");
}

/* Squares of one span touch. */
static bool goes_on(const struct map_writing *page, const midden_map *map, size_t index) {
  if (page->unit > 1 || (index + 1) % COLUMNS == 0 || index + 1 >= map->page_count) return false;
  return !((map->pages[index].flags | map->pages[index + 1].flags) & MAP_FREE) && !(map->pages[index + 1].flags & MAP_START);
}

static void put_marks(struct output *text, const struct square *square, bool starts, size_t x, size_t y) {
  if (square->blocks * 2 > square->used) {
    mdn_map_text_print(text, "<path class=\"hatch\" d=\"M%zu %zul10 -10\"/>", x, y + 10);
  } else if (square->large * 2 > square->used && starts) {
    mdn_map_text_print(text, "<path class=\"corner\" d=\"M%zu %zuh7l-7 7z\"/>", x, y);
  }
  if (square->pinned > 0) mdn_map_text_print(text, "<circle class=\"mark\" cx=\"%zu\" cy=\"%zu\" r=\"2.4\"/>", x + 5, y + 5);
}

static void put_square(struct map_writing *page, const midden_map *map, size_t index) {
  struct output *text = page->text;
  size_t first = index * page->unit, x = index % COLUMNS * PITCH, y = index / COLUMNS * PITCH;
  struct square square = gather_square(map, first, size_minimum(page->unit, map->page_count - first));
  mdn_map_text_print(text, "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"10\" class=\"s ", x, y,
                     goes_on(page, map, index) ? 11 : 10);
  if (square.used == 0) {
    mdn_output_text(text, square.returned * 2 > square.pages ? "back" : "free");
  } else {
    mdn_map_text_print(text, "f%u a%u ", level_of(square.full / square.used), level_of(square.old / square.used));
    mdn_output_text(text, square.kind == 0 ? "kb" : kind_class(page, map->kinds[square.kind].name));
    if (square.kind == 0) mdn_output_text(text, " block");
    if (square.large * 2 > square.used) mdn_output_text(text, " large");
    if (square.pinned > 0) mdn_output_text(text, " pinned");
  }
  mdn_output_text(text, "\">");
  put_square_text(page, map, &square);
  mdn_output_text(text, "</rect>");
  put_marks(text, &square, page->unit > 1 || map->pages[first].flags & MAP_START, x, y);
  mdn_output_text(text, "\n");
}

/* ---- keys and tables ---- */

static void put_swatch(struct output *text, const char *mode, const char *class, const char *mark, const char *label) {
  mdn_map_text_print(text, "<span class=\"%s\"><svg viewBox=\"0 0 10 10\" class=\"sw\"><rect width=\"10\" height=\"10\" class=\"%s\"/>%s</svg>",
                     mode, class, mark);
  mdn_map_text_escape(text, label);
  mdn_output_text(text, "</span>");
}

static void put_key(struct map_writing *page) {
  static const char *const full[LEVELS] = {"0 to 19 % full", "20 to 39 %", "40 to 59 %", "60 to 79 %", "80 to 100 %"};
  static const char *const age[LEVELS] = {"new since the last collection", "", "", "", "survived it"};
  static const char *const full_class[LEVELS] = {"f0", "f1", "f2", "f3", "f4"};
  static const char *const age_class[LEVELS] = {"a0", "a1", "a2", "a3", "a4"};
  struct output *text = page->text;
  for (unsigned i = 0; i < LEVELS; i++) put_swatch(text, "l l-full", full_class[i], "", full[i]);
  for (unsigned i = 0; i < LEVELS; i++) put_swatch(text, "l l-age", age_class[i], "", age[i]);
  for (size_t i = 0; i < COLOURED_KINDS && page->coloured[i]; i++) {
    put_swatch(text, "l l-kind", kind_class(page, page->coloured[i]), "", page->coloured[i]);
  }
  if (page->listed_count > COLOURED_KINDS) put_swatch(text, "l l-kind", "kx", "", "other kinds");
  put_swatch(text, "", "any", "<path class=\"hatch\" d=\"M0 10l10 -10\"/>", "raw blocks");
  put_swatch(text, "", "any", "<path class=\"corner\" d=\"M0 0h7l-7 7z\"/>", "start of a large object");
  put_swatch(text, "", "any", "<circle class=\"mark\" cx=\"5\" cy=\"5\" r=\"2.4\"/>", "something pinned");
  put_swatch(text, "", "free", "", "free, kept");
  put_swatch(text, "", "back", "", "free, returned to the system");
  mdn_output_text(text, "</div>\n");
}

static void put_row(struct output *text, const char *class, const char *name, size_t objects, size_t bytes, size_t pages,
                    bool holds) {
  mdn_output_text(text, "<tr data-name=\"");
  mdn_map_text_escape(text, name);
  mdn_map_text_print(text, "\" data-objects=\"%zu\" data-bytes=\"%zu\" data-pages=\"%zu\"><td><svg viewBox=\"0 0 10 10\" "
                           "class=\"sw%s\"><rect width=\"10\" height=\"10\" class=\"%s\"/></svg>",
                     objects, bytes, pages, holds ? " of" : "", class);
  mdn_map_text_escape(text, name);
  mdn_output_text(text, "</td><td>");
  if (holds) mdn_map_text_print(text, "%zu</td><td>", objects);
  if (holds) put_size(text, bytes);
  if (!holds) mdn_output_text(text, "</td><td>");
  mdn_output_text(text, "</td><td>");
  put_size(text, to_bytes(pages));
  mdn_output_text(text, "</td><td>");
  if (holds && pages > 0) mdn_map_text_print(text, "%zu %%", 100 * bytes / to_bytes(pages));
  mdn_output_text(text, "</td></tr>\n");
}

static void put_table(struct map_writing *page, const midden_map *map) {
  struct output *text = page->text;
  struct map_kind rest = {.objects = 0};
  mdn_output_text(text, "<table><tr><th>kind</th><th>objects</th><th>in use</th><th>pages</th><th>full</th></tr>\n");
  for (size_t k = 0; k < page->listed_count; k++) {
    struct map_kind sum = {.objects = 0};
    for (size_t i = 1; i < map->kind_count; i++) {
      if (strcmp(map->kinds[i].name, page->listed[k]) != 0) continue;
      sum.objects += map->kinds[i].objects, sum.bytes += map->kinds[i].bytes, sum.pages += map->kinds[i].pages;
    }
    put_row(text, kind_class(page, page->listed[k]), page->listed[k], sum.objects, sum.bytes, sum.pages, true);
  }
  for (size_t i = 1; i < map->kind_count; i++) {
    if (is_listed_name(page, map->kinds[i].name)) continue;
    rest.objects += map->kinds[i].objects, rest.bytes += map->kinds[i].bytes, rest.pages += map->kinds[i].pages;
  }
  if (rest.pages > 0) put_row(text, "kx", "(all others)", rest.objects, rest.bytes, rest.pages, true);
  if (map->kinds[0].pages > 0) {
    put_row(text, "kb", "(raw blocks)", map->kinds[0].objects, map->kinds[0].bytes, map->kinds[0].pages, true);
  }
  put_row(text, "free", "(free, kept)", 0, 0, map->free_pages, false);
  put_row(text, "back", "(free, returned)", 0, 0, map->returned_pages, false);
  mdn_output_text(text, "</table>\n");
}

static void put_capture(struct map_writing *page, const midden_map *map, size_t rows) {
  struct output *text = page->text;
  size_t squares = (map->page_count + page->unit - 1) / page->unit;
  mdn_output_text(text, "<div class=\"capture\"><h2>");
  mdn_map_text_escape(text, map->title);
  size_t used = 0, pages = 0;
  for (size_t i = 0; i < map->kind_count; i++) used += map->kinds[i].bytes, pages += map->kinds[i].pages;
  mdn_output_text(text, "</h2>\n<p>");
  put_size(text, used);
  mdn_output_text(text, " in use, in ");
  put_size(text, to_bytes(pages));
  mdn_map_text_print(text, " of pages: %zu %% full. Collector %s, %llu collections.</p>\n",
                     pages ? 100 * used / to_bytes(pages) : 0, map->collector, (unsigned long long)map->collections);
  mdn_map_text_print(text, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"map\" viewBox=\"-1 -1 %zu %zu\" data-unit=\"%zu\" "
                           "data-pages=\"%zu\">\n", COLUMNS * PITCH + 1, rows * PITCH + 1, page->unit, map->page_count);
  for (size_t i = 0; i < squares && !text->failed; i++) put_square(page, map, i);
  mdn_output_text(text, "</svg>\n");
  put_table(page, map);
  mdn_output_text(text, "</div>\n");
}

static void put_page(struct map_writing *page) {
  struct output *text = page->text;
  size_t most = 1;
  for (size_t i = 0; i < page->count; i++) most = size_maximum(most, page->maps[i]->page_count);
  for (page->unit = 1; (most + page->unit - 1) / page->unit > SQUARES_MOST;) page->unit *= 2;
  size_t rows = ((most + page->unit - 1) / page->unit + COLUMNS - 1) / COLUMNS;
  rank_kinds(page);
  mdn_output_text(text, HEAD);
  put_key(page);
  mdn_output_text(text, "<p>Pages in the order of their addresses, row by row. A square is ");
  if (page->unit > 1) mdn_map_text_print(text, "%zu pages, ", page->unit);
  put_size(text, to_bytes(page->unit));
  mdn_output_text(text, page->unit > 1 ? ". Point at one for what is in it.</p>\n"
                                        : "; squares that touch are one span. Point at one for what is in it.</p>\n");
  mdn_output_text(text, "<div class=\"captures\">\n");
  for (size_t i = 0; i < page->count; i++) put_capture(page, page->maps[i], rows);
  mdn_output_text(text, "</div>\n");
  mdn_output_text(text, TAIL);
}

/* ---- public ---- */

static bool are_maps(midden_map *const *maps, size_t count) {
  bool complete = maps && count > 0 && count <= MAPS_MOST;
  for (size_t i = 0; complete && i < count; i++) complete = maps[i] != NULL;
  return complete;
}

midden_status midden_map_write(midden_map *const *maps, size_t count, const midden_writer *writer, midden_error *error) {
  if (!are_maps(maps, count) || !writer || !writer->write) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_map_write: 1 to %zu captures, and where to write", MAPS_MOST);
  }
  struct output output;
  struct map_writing page = {.text = &output, .maps = maps, .count = count};
  mdn_output_open(&output, NULL, writer);
  put_page(&page);
  return mdn_output_close(&output, "the map of the heap", error);
}

midden_status midden_map_save(midden_map *const *maps, size_t count, const char *path, midden_error *error) {
  if (!are_maps(maps, count) || !path) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_map_save: 1 to %zu captures, and a file's path", MAPS_MOST);
  }
  errno = 0;
  FILE *file = fopen(path, "w");
  if (!file) return mdn_output_refused(path, errno, error);
  midden_writer writer = mdn_output_file(file);
  midden_status status = midden_map_write(maps, count, &writer, error);
  errno = 0;
  if (fclose(file) == 0 || status != MIDDEN_OK) return status;
  return mdn_output_refused(path, errno, error);
}
