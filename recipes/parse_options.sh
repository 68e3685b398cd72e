# shellcheck shell=bash
# Sourced by a script after its option lines, `name=default   # what it is`, which stand between the lines
# "# Options" and "# End of options": takes `--name value` and `--name=value` from the command line.
# A default true or false asks for one of the two, a number for a number. `--help` prints the script's
# header and its option lines, so that nothing is written twice. What else a value must be, the script says after it:
# one_of NAME VALUE VALUE, or number_or_nothing NAME.

option_lines() { sed -n '/^# Options/,/^# End of options/p' "${BASH_SOURCE[-1]}" | grep -E '^[a-z][a-z_]*='; }
refuse() { echo "${BASH_SOURCE[-1]##*/}: $*" >&2; exit 2; }

nearest_option() {  # nearest_option NAME: the option at the smallest edit distance
    option_lines | awk -F= -v given="$1" '
        function least(a, b) { return a < b ? a : b }
        { for (j = 0; j <= length($1); j++) above[j] = j
          for (i = 1; i <= length(given); i++) {
              row[0] = i
              for (j = 1; j <= length($1); j++)
                  row[j] = least(above[j - 1] + (substr(given, i, 1) != substr($1, j, 1)),
                                 1 + least(above[j], row[j - 1]))
              for (j = 0; j <= length($1); j++) above[j] = row[j] }
          if (NR == 1 || above[length($1)] < best) { best = above[length($1)]; name = $1 } }
        END { print name }'
}

set_option() {  # set_option NAME VALUE
    local default
    [[ $'\n'$(option_lines) == *$'\n'"$1="* ]] || refuse "unknown option --$1; did you mean --$(nearest_option "$1")? --help lists all"
    default=${!1}
    case $default in
        true | false) [[ $2 =~ ^(true|false)$ ]] || refuse "--$1 is '$2'; it takes true or false" ;;
        [0-9]*) [[ $2 =~ ^[0-9]+$ ]] || refuse "--$1 is '$2'; it takes a number, as $default" ;;
    esac
    printf -v "$1" %s "$2"
}

one_of() {  # one_of NAME VALUE VALUE: refuses an option with another value
    [[ ${!1} == "$2" || ${!1} == "$3" ]] || refuse "--$1 is '${!1}'; it takes $2 or $3"
}

number_or_nothing() { [[ ${!1} =~ ^[0-9]*$ ]] || refuse "--$1 is '${!1}'; it takes a number"; }

while (($#)); do
    case $1 in
        --help | -h) sed -n '2,/^[^#]/{/^# shellcheck/d; s/^# \{0,1\}//p}' "${BASH_SOURCE[-1]}"; echo; echo "Options and what they are unless given:"
            option_lines | sed 's/^/  --/'; exit ;;
        --*=*) set_option "$(sed 's/^--//; s/=.*//' <<< "$1")" "${1#*=}"; shift ;;
        --*) (($# > 1)) || refuse "$1 needs a value"
            set_option "${1#--}" "$2"; shift 2 ;;
        *) refuse "'$1' is no option; options start with --" ;;
    esac
done
