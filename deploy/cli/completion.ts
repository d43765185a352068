import type { Command, Option } from 'commander';

/** A verb as a shell completes it. */
export interface CompletedVerb {
  /** With the verbs that it belongs to: `messages list`; empty for the program itself. */
  readonly path: string;
  readonly verbs: readonly Word[];
  readonly options: readonly CompletedOption[];
  /** What its first argument may be; empty when that is not known. */
  readonly argument: readonly string[];
  /** Its first argument is a file or a folder. */
  readonly takesFile: boolean;
}

interface Word {
  readonly name: string;
  readonly description: string;
}

interface CompletedOption extends Word {
  readonly takesValue: boolean;
  /** Empty when every value is possible. */
  readonly values: readonly string[];
  readonly isFile: boolean;
}

/** Names that stand in topology.yaml. */
export interface Names {
  readonly components: readonly string[];
  readonly channels: readonly string[];
  /** Of which there are files beside it. */
  readonly environments: readonly string[];
}

/** Every verb of the program, itself first. */
export function completedVerbs(program: Command, names: Names): CompletedVerb[] {
  const globals = program.options.filter(({ long }) => long !== '--version');
  const of = (command: Command, path: string): CompletedVerb[] => [
    {
      path,
      verbs: command.commands.map((sub) => ({ name: sub.name(), description: sub.description() })),
      options: [...new Set([...command.options, ...globals])].map((option) => completedOption(option, names)),
      argument: valuesOf(command.registeredArguments[0]?.name() ?? '', names),
      takesFile: namesFile(command.registeredArguments[0]?.name()),
    },
    ...command.commands.flatMap((sub) => of(sub, path === '' ? sub.name() : `${path} ${sub.name()}`)),
  ];
  return of(program, '');
}

function completedOption(option: Option, names: Names): CompletedOption {
  const placeholder = /<([^>]+)>/.exec(option.flags)?.[1] ?? '';
  return {
    name: option.long ?? option.flags,
    description: option.description,
    takesValue: option.required || option.optional,
    values:
      option.argChoices ??
      (option.long === '--channel' ? names.channels : valuesOf(option.long?.slice(2) ?? '', names)),
    isFile: namesFile(placeholder),
  };
}

function namesFile(name: string | undefined): boolean {
  return name === 'path' || name === 'file' || name === 'folder';
}

/** What a thing of this name may be. */
function valuesOf(name: string, { components, channels, environments }: Names): readonly string[] {
  if (name === 'component' || name === 'components') return components;
  if (name === 'counts') return components.map((component) => `${component}=`);
  if (name === 'channel') return channels;
  if (name === 'environment') return environments;
  return name === 'shell' ? Object.keys(scripts) : [];
}

/** The script that a shell reads once, by the shell's name. */
export const scripts: Readonly<Record<string, (verbs: readonly CompletedVerb[]) => string>> = {
  bash: (verbs) => `${walk(verbs, 'COMP_WORDS', 1, 'COMP_CWORD')}
_downspout() {
  local cur="\${COMP_WORDS[COMP_CWORD]}"
  _downspout_words
  COMPREPLY=($(compgen -W "$found" -- "$cur"))
  # Outside of a completion there is nobody whom these could be told.
  if [ "$files" = 1 ]; then COMPREPLY+=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; fi
  case "\${COMPREPLY[*]}" in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _downspout downspout
`,
  zsh: (verbs) => `#compdef downspout
${walk(verbs, 'words', 2, 'CURRENT')}
_downspout() {
  _downspout_words
  local word
  for word in \${=found}; do
    case "$word" in *=) compadd -S '' -- "$word" ;; *) compadd -- "$word" ;; esac
  done
  if [ "$files" = 1 ]; then _files; fi
}
compdef _downspout downspout
`,
  fish,
};

/** A function for bash and zsh: finds the verb that was typed, and sets what may follow. */
function walk(verbs: readonly CompletedVerb[], words: string, first: number, current: string): string {
  const paths = verbs.filter(({ path }) => path !== '').map(({ path }) => `"${path}"`);
  const values = verbs.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      if (!option.takesValue) return [];
      const result = option.isFile ? 'files=1' : `found="${option.values.join(' ')}"`;
      return [`    "${path} ${option.name}") ${result}; return ;;`];
    }),
  );
  const following = verbs.map(({ path, verbs: subs, options, argument, takesFile }) => {
    const all = [...subs.map(({ name }) => name), ...argument, ...options.map(({ name }) => name), '--help'];
    return `    "${path}") found="${all.join(' ')}"${takesFile ? ' files=1' : ''} ;;`;
  });
  return `_downspout_words() {
  local at="" next i
  found="" files=0
  for ((i = ${first}; i < ${current}; i++)); do
    next="\${at:+$at }\${${words}[i]}"
    case "$next" in
      ${paths.join('|')}) at="$next" ;;
    esac
  done
  case "$at \${${words}[${current} - 1]}" in
${values.join('\n')}
  esac
  case "$at" in
${following.join('\n')}
  esac
}`;
}

function fish(verbs: readonly CompletedVerb[]): string {
  const groups = verbs.filter(({ verbs: subs }) => subs.length > 0);
  const lines = verbs.flatMap(({ path, verbs: subs, options, argument, takesFile }) => {
    const on = `complete -c downspout -n "__downspout_at '${path}'"`;
    return [
      ...subs.map(({ name, description }) => `${on} -f -a ${name} -d ${quoted(description)}`),
      ...(argument.length === 0 ? [] : [`${on} -f -a ${quoted(argument.join(' '))}`]),
      ...(takesFile ? [`${on} -F`] : []),
      ...options.map(({ name, description, takesValue, values, isFile }) => {
        const value = !takesValue
          ? ''
          : isFile
            ? ' -r -F'
            : ` -x${values.length === 0 ? '' : ` -a ${quoted(values.join(' '))}`}`;
        return `${on} -l ${name.replace(/^--/, '')}${value} -d ${quoted(description)}`;
      }),
    ];
  });
  return `function __downspout_at
  set -l at
  for word in (commandline -opc)[2..]
    string match -q -- '-*' $word; and continue
    set -a at $word
    contains -- "$at" ${groups.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`])).join(' ')}; or break
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** Single quotes, as fish reads them. */
function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
