/* The words that head special forms. */
#ifndef SCHEME_KEYWORDS_H
#define SCHEME_KEYWORDS_H

#define KEYWORDS(X)                                                                                          \
  X(QUOTE, "quote")                                                                                          \
  X(QUASIQUOTE, "quasiquote")                                                                                \
  X(UNQUOTE, "unquote")                                                                                      \
  X(UNQUOTE_SPLICING, "unquote-splicing")                                                                    \
  X(IF, "if")                                                                                                \
  X(DEFINE, "define")                                                                                        \
  X(DEFINE_VALUES, "define-values")                                                                          \
  X(DEFINE_RECORD_TYPE, "define-record-type")                                                                \
  X(SET, "set!")                                                                                             \
  X(LAMBDA, "lambda")                                                                                        \
  X(BEGIN, "begin")                                                                                          \
  X(LET, "let")                                                                                              \
  X(LET_STAR, "let*")                                                                                        \
  X(LETREC, "letrec")                                                                                        \
  X(LETREC_STAR, "letrec*")                                                                                  \
  X(LET_VALUES, "let-values")                                                                                \
  X(LET_STAR_VALUES, "let*-values")                                                                          \
  X(AND, "and")                                                                                              \
  X(OR, "or")                                                                                                \
  X(WHEN, "when")                                                                                            \
  X(UNLESS, "unless")                                                                                        \
  X(COND, "cond")                                                                                            \
  X(CASE, "case")                                                                                            \
  X(CASE_LAMBDA, "case-lambda")                                                                              \
  X(DO, "do")                                                                                                \
  X(DELAY, "delay")                                                                                          \
  X(DELAY_FORCE, "delay-force")                                                                              \
  X(GUARD, "guard")                                                                                          \
  X(PARAMETERIZE, "parameterize")                                                                            \
  X(IMPORT, "import")                                                                                        \
  X(DEFINE_SYNTAX, "define-syntax")                                                                          \
  X(LET_SYNTAX, "let-syntax")                                                                                \
  X(LETREC_SYNTAX, "letrec-syntax")                                                                          \
  X(ELSE, "else")                                                                                            \
  X(ARROW, "=>")

enum keyword {
  NOT_A_KEYWORD,
#define X(name, text) KEYWORD_##name,
  KEYWORDS(X)
#undef X
      KEYWORD_COUNT
};

#endif
