/* Completion for three shells, made of the command and flag tables. */
#include "cli/addresses.h"
#include "engine/decode.h"

static void words_of_flags(struct buffer *out, uint64_t set)
{
    for (int i = 0; i < FLAGS; i++)
        if (set >> i & 1)
            buffer_printf(out, " --%s", flag_rows[i].name);
}

static void command_names(struct buffer *out)
{
    for (size_t i = 0; commands[i]; i++)
        buffer_printf(out, "%s%s", i ? " " : "", commands[i]->name);
}

/* Does an address stand among its arguments? */
static bool takes_address(const struct command *c)
{
    return strstr(c->args, "ADDRESS") || strstr(c->args, "ENDPOINT") || strstr(c->args, "TARGET");
}

/* What may stand behind a flag, each with a blank before it; nothing: anybody's words. */
static void flag_words(const struct cli *c, int flag, struct buffer *out)
{
    char decoders[200];
    if (flag == FLAG_COLOR)
        buffer_text(out, " auto always never");
    else if (flag == FLAG_AS)
        buffer_printf(out, " jsonl %s", decoder_names(c->registry->decoders, decoders, sizeof decoders));
}

static void bash_flag_words(const struct cli *c, struct buffer *out)
{
    for (int i = 0; i < FLAGS; i++) {
        size_t before = out->len;
        buffer_printf(out, "    --%s) COMPREPLY=($(compgen -W '", flag_rows[i].name);
        size_t empty = out->len;
        flag_words(c, i, out);
        if (out->len == empty)
            out->len = before;
        else
            buffer_text(out, "' -- \"$cur\")); return ;;\n");
    }
}

static void argument_words(struct buffer *out, const struct command *c)
{
    for (size_t i = 0; c->words && c->words[i]; i++)
        buffer_printf(out, " %s", c->words[i]);
}

/* Bash cuts words at : = @, too, and completes what stands behind the last one, or behind a quote that is still open: the line is read
 * here, and what of the word stands before that (kept) is taken off the candidates again. Behind --flag= its value is completed. Of
 * several it writes what they have in common, which may be less than what was typed: a blank has nothing in common with any. */
static const char bash_words[] =
    "_signalbox() {\n"
    "    local cur= kept= prev flag= typed=() word others= all\n"
    "    _signalbox_read\n"
    "    prev=${typed[-1]}\n"
    "    [[ $cur == --*=* ]] && prev=${cur%%=*} flag=${cur%%=*}= cur=${cur#*=}\n"
    "    COMPREPLY=()\n"
    "    _signalbox_candidates\n"
    "    all=(\"${COMPREPLY[@]}\")\n"
    "    COMPREPLY=()\n"
    "    for word in \"${all[@]}\"; do\n"
    "        word=$flag$word\n"
    "        [[ $word == \"$kept\"* ]] || continue\n"
    "        COMPREPLY+=(\"${word#\"$kept\"}\")\n"
    "        [[ $word == \"$flag$cur\"* ]] || others=1\n"
    "    done\n"
    "    [[ $others && ${#COMPREPLY[@]} -gt 1 ]] && COMPREPLY+=(' ')\n"
    "    return 0\n"
    "}\n"
    "_signalbox_read() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^:=@]} quote= opened= begun= i c\n"
    "    for ((i = 0; i < ${#line}; i++)); do\n"
    "        c=${line:i:1}\n"
    "        if [[ $c == \"$quote\" ]]; then\n"
    "            quote=\n"
    "        elif [[ $c == \\\\ && ( ! $quote || $quote${line:i+1:1} == \\\"[\\\"\\\\\\$\\`] ) ]]; then\n"
    "            cur+=${line:(++i):1} begun=1\n"
    "        elif [[ ! $quote && $c == [\\\"\\'] ]]; then\n"
    "            quote=$c opened=$cur begun=1\n"
    "        elif [[ ! $quote && $c == [[:space:]\\<\\>\\;\\|\\&\\(] ]]; then\n"
    "            [[ $begun ]] && typed+=(\"$cur\")\n"
    "            cur= kept= begun=\n"
    "        else\n"
    "            cur+=$c begun=1\n"
    "            [[ ! $quote && $breaks == *\"$c\"* ]] && kept=$cur\n"
    "        fi\n"
    "    done\n"
    "    [[ $quote ]] && kept=$opened\n"
    "}\n";

static void bash(const struct cli *c, struct buffer *out)
{
    buffer_printf(out, "# bash completion for signalbox; made by `signalbox completion bash`\n%s",
                  bash_words);
    buffer_text(out, "_signalbox_candidates() {\n"
                     "    local word before= command= words= address= files=1 config=()\n"
                     "    case $prev in\n"
                     "    --config|-c) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
    bash_flag_words(c, out);
    buffer_text(out, "    esac\n"
                     "    for word in \"${typed[@]:1}\"; do\n"
                     "        case $before in --config|-c) config=(--config \"${word/#\\~/$HOME}\") ;; esac\n"
                     "        [[ $word == --config=* ]] && config=(\"$word\")\n"
                     "        before=$word\n"
                     "        [[ $command ]] || case $word in\n        ");
    for (size_t i = 0; commands[i]; i++)
        buffer_printf(out, "%s%s", i ? "|" : "", commands[i]->name);
    buffer_text(out, ") command=$word ;;\n        esac\n    done\n    case $command in\n");
    for (size_t i = 0; commands[i]; i++) {
        buffer_printf(out, "    %s) words='", commands[i]->name);
        words_of_flags(out, commands[i]->flags | FLAGS_GLOBAL);
        argument_words(out, commands[i]);
        buffer_printf(out, "'%s%s ;;\n", takes_address(commands[i]) ? " address=1" : "",
                      commands[i]->words ? " files=" : "");
    }
    buffer_text(out, "    *) words='");
    command_names(out);
    words_of_flags(out, FLAGS_GLOBAL | F(DEMO) | F(VERSION));
    buffer_text(
        out, "' ;;\n    esac\n    [[ $flag ]] && words=\n"
             "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
             "    [[ $cur == -* ]] && return\n"
             "    if [[ $address ]]; then\n"
             "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" completion"
             " addresses \"${config[@]}\" -- \"$cur\" 2>/dev/null)\n"
             "        [[ ${COMPREPLY[*]} == */ ]] && compopt -o nospace 2>/dev/null\n"
             "    fi\n"
             "    [[ $files ]] && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$cur\")\n"
             "}\ncomplete -o filenames -F _signalbox signalbox\n");
}

/* Inside '[...]' of zsh and '...' of fish. */
static void quoted(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buffer_text(out, "'\\''");
        else if (strchr("[]:", *text))
            buffer_printf(out, "\\%c", *text);
        else
            buffer_byte(out, (uint8_t)*text);
    }
}

static void zsh_words(const struct cli *c, struct buffer *out, int flag)
{
    size_t before = out->len;
    buffer_byte(out, '(');
    flag_words(c, flag, out);
    if (out->len == before + 1)
        out->len = before;
    else
        buffer_text(out, " )");
}

static void zsh_flags(const struct cli *c, struct buffer *out, uint64_t set)
{
    for (int i = 0; i < FLAGS; i++) {
        const struct flag_row *row = &flag_rows[i];
        if (!(set >> i & 1))
            continue;
        buffer_printf(out, "        '%s--%s[", row->kind == FLAG_LIST ? "*" : "", row->name);
        quoted(out, row->text);
        buffer_byte(out, ']');
        if (row->kind != FLAG_ON) {
            buffer_text(out, row->kind == FLAG_MAYBE ? "::" : ":");
            quoted(out, row->argument);
            buffer_text(out, i == FLAG_CONFIG || i == FLAG_EDIT ? ":_files" : ":");
            zsh_words(c, out, i);
        }
        buffer_text(out, "' \\\n");
    }
}

static void zsh_command(const struct cli *cli, struct buffer *out, const struct command *c)
{
    buffer_printf(out, "    %s) _arguments \\\n", c->name);
    zsh_flags(cli, out, c->flags | FLAGS_GLOBAL);
    if (c->words) {
        buffer_text(out, "        '*:word:(");
        argument_words(out, c);
        buffer_text(out, " )' ;;\n");
    } else {
        buffer_printf(out, "        '*:argument:%s' ;;\n",
                      takes_address(c) ? "_signalbox_addresses" : "_files");
    }
}

static void zsh(const struct cli *c, struct buffer *out)
{
    buffer_text(
        out,
        "#compdef signalbox\n# made by `signalbox completion zsh`\n"
        "_signalbox_addresses() {\n"
        "    local -a found other config\n"
        "    local typed=${(Q)PREFIX}\n"
        "    [[ -n ${opt_args[--config]} ]] && config=(--config ${~opt_args[--config]})\n"
        "    found=(${(f)\"$(_call_program addresses signalbox completion addresses $config -- ${(q)typed} 2>/dev/null)\"})\n"
        "    compadd -S '' -- ${(M)found:#*/}\n"
        "    compadd -- ${(M)${found:#*/}:#$typed*}\n"
        "    other=(${${found:#*/}:#$typed*})\n" /* with a kind before it: in place of what was typed, where it is one */
        "    compadd -U -- $other\n"
        "    (( $#other > 1 )) && compstate[insert]= compstate[list]=list\n"
        "    _files\n"
        "}\n"
        "_signalbox() {\n    local -a commands\n    local -A opt_args\n"
        "    commands=(\n");
    for (size_t i = 0; commands[i]; i++) {
        buffer_printf(out, "        '%s:", commands[i]->name);
        quoted(out, commands[i]->purpose);
        buffer_text(out, "'\n");
    }
    buffer_text(
        out,
        "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
        "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n");
    for (size_t i = 0; commands[i]; i++)
        zsh_command(c, out, commands[i]);
    buffer_text(out, "    esac\n}\n_signalbox \"$@\"\n");
}

/* Inside '...' of fish. */
static void fish_text(struct buffer *out, const char *text)
{
    for (; *text; text++)
        buffer_printf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void fish_words(const struct cli *c, struct buffer *out, int flag)
{
    size_t before = out->len;
    buffer_text(out, " -f -a '");
    size_t empty = out->len;
    flag_words(c, flag, out);
    if (out->len == empty)
        out->len = before;
    else
        buffer_byte(out, '\'');
}

static void fish_flags(const struct cli *c, struct buffer *out, const char *condition, uint64_t set)
{
    for (int i = 0; i < FLAGS; i++) {
        const struct flag_row *row = &flag_rows[i];
        if (!(set >> i & 1))
            continue;
        buffer_printf(out, "complete -c signalbox %s -l %s", condition, row->name);
        if (row->letter)
            buffer_printf(out, " -s %c", row->letter);
        fish_words(c, out, i);
        buffer_printf(out, "%s -d '", row->kind == FLAG_ON || row->kind == FLAG_MAYBE ? "" : " -r");
        fish_text(out, row->text);
        buffer_text(out, "'\n");
    }
}

static void fish(const struct cli *cli, struct buffer *out)
{
    buffer_text(out, "# fish completion for signalbox; made by `signalbox completion fish`\n");
    fish_flags(cli, out, "", FLAGS_GLOBAL);
    fish_flags(cli, out, "-n __fish_use_subcommand", F(DEMO) | F(VERSION));
    for (size_t i = 0; commands[i]; i++) {
        const struct command *c = commands[i];
        struct buffer text;
        buffer_init(&text, 256);
        buffer_printf(&text, "-n '__fish_seen_subcommand_from %s'", c->name);
        buffer_printf(out, "complete -c signalbox -n __fish_use_subcommand -f -a %s -d '", c->name);
        fish_text(out, c->purpose);
        buffer_text(out, "'\n");
        fish_flags(cli, out, buffer_cstr(&text), c->flags);
        if (c->words) {
            buffer_printf(out, "complete -c signalbox %s -f -a '", buffer_cstr(&text));
            argument_words(out, c);
            buffer_text(out, "'\n");
        }
        if (takes_address(c))
            buffer_printf(
                out,
                "complete -c signalbox %s -a '(signalbox completion addresses -- (commandline -ct) 2>/dev/null)'\n",
                buffer_cstr(&text));
        buffer_free(&text);
    }
}

static const char *const words[] = {"bash", "zsh", "fish", "addresses", NULL};

static int run(struct cli *c)
{
    static void (*const writers[])(const struct cli *, struct buffer *) = {bash, zsh, fish};
    struct buffer out;
    if (strcmp(c->args[0], "addresses") == 0)
        return addresses_print(c, c->arg_count > 1 ? c->args[1] : "");
    if (c->arg_count > 1)
        return cli_usage("`%s`: one shell at a time", c->args[1]);
    buffer_init(&out, 1 << 20);
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        if (strcmp(words[i], c->args[0]) != 0)
            continue;
        writers[i](c, &out);
        int code = cli_print(&out);
        buffer_free(&out);
        return code;
    }
    return cli_usage("no completion for `%s`; there is bash, zsh and fish", c->args[0]);
}

const struct command command_completion = {
    .name = "completion",
    .args = "bash|zsh|fish|addresses [PREFIX]",
    .purpose = "print a completion script for a shell",
    .detail =
        "The scripts complete addresses, too, by `completion addresses`: configured endpoints, and behind `NAME/` the "
        "channels that the broker lists within two seconds.",
    .min_args = 1,
    .max_args = 2,
    .missing = "a shell",
    .argument = ARGUMENT_WORD,
    .words = words,
    .examples = {{"source <(signalbox completion bash)", "in ~/.bashrc"},
                 {"signalbox completion zsh > ~/.zfunc/_signalbox", "a folder of $fpath"},
                 {"signalbox completion fish | source", "in config.fish"}},
    .exits = "0 1 2 5 8 130",
    .offline = true,
    .run = run,
};
