# Reads the Makefile's help lines, `verb: …  ## what it does: CONFIG=…, K=…`, which also say which variables a verb takes.
# Without `given` and `goals` it prints them as help, `columns` wide; with them it says what was mistyped, in one line.

BEGIN { everywhere = "PYTHON TORCH UV SHELL MAKE MAKEFLAGS" }  # ours, and make's own

/^##: / { note = note " " substr($0, 5) }  # what stands below the verbs

/^##@ / { lines[++n] = "@" substr($0, 5) }

/^[a-z0-9-]+:.*## / {
  verb = substr($0, 1, index($0, ":") - 1); verbs = verbs " " verb
  lines[++n] = verb; says[verb] = substr($0, index($0, "## ") + 3)
  for (rest = says[verb]; match(rest, /[A-Z]+=/); rest = substr(rest, RSTART + RLENGTH))
    takes[verb] = takes[verb] " " substr(rest, RSTART, RLENGTH - 1)
}

END { if (checking) check(); else help() }

function help(  i) {
  for (i = 1; i <= n; i++) {
    if (lines[i] ~ /^@/) print "\n" substr(lines[i], 2)
    else wrap(sprintf("  make %-17s", lines[i]), says[lines[i]], sprintf("%24s", ""))
  }
  print ""
  wrap("", note, "")
}

function wrap(line, text, then,  words, i, count) {
  count = split(text, words, " ")
  for (i = 1; i <= count; i++) {
    if (i > 1 && length(line " " words[i]) > columns) { print line; line = then }
    line = line (line ? " " : "") words[i]
  }
  print line
}

function check(  goal, typed, i, known) {
  split(goals, goal, " "); split(given, typed, " ")
  for (i = 1; i in goal; i++) {
    if (!among(goal[i], verbs) && goal[i] !~ /[.\/]/) {
      print "there is no verb " goal[i] meant(goal[i], verbs) "; bare make lists them"
      return
    }
    known = known takes[goal[i]]
  }
  for (i = 1; goals && i in typed; i++) {
    if (!among(typed[i], known " " everywhere)) {
      print "make " goals " takes no variable " typed[i] meant(typed[i], known) "; " listed(known)
      return
    }
  }
}

function among(word, list) { return index(" " list " ", " " word " ") > 0 }

function listed(list) {
  gsub(/ /, ", ", list)
  return list ? "it takes " substr(list, 3) : "it takes none"
}

# The nearest of a list, if any is near: one that holds the word, or half of its letters, capitals or not
function meant(word, list,  each, i, least, nearest, found) {
  least = length(word) / 2 + 0.5
  split(list, each, " ")
  for (i = 1; i in each; i++) {
    found = length(word) > 3 && index(each[i], word) ? 0 : edits(toupper(word), toupper(each[i]))
    if (found < least) { least = found; nearest = each[i] }
  }
  return nearest ? " (did you mean " nearest "?)" : ""
}

function edits(a, b,  row, i, j, above, cost) {
  for (j = 0; j <= length(b); j++) row[j] = j
  for (i = 1; i <= length(a); i++) {
    above = row[0]; row[0] = i
    for (j = 1; j <= length(b); j++) {
      cost = above + (substr(a, i, 1) != substr(b, j, 1)); above = row[j]
      if (row[j] + 1 < cost) cost = row[j] + 1
      if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1
      row[j] = cost
    }
  }
  return row[length(b)]
}
