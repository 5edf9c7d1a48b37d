import type { EventEmitter } from 'node:events'
import type { Argument, Command, Option } from 'commander'

/** The command line as data, read from commander's tables: what help, man page, docs and completions are made of. */
export interface CommandOutline {
  /** From the program on: ['eigenae', 'data', 'fetch']. */
  readonly words: readonly string[]
  readonly summary: string
  readonly usage: string
  readonly parameters: readonly ParameterOutline[]
  readonly options: readonly OptionOutline[]
  /** What --help shows at the end. */
  readonly examples: string
  readonly commands: readonly CommandOutline[]
}

export interface ParameterOutline {
  readonly name: string
  readonly description: string
  readonly variadic: boolean
  readonly value: Value
}

export interface OptionOutline {
  /** As --help shows it: "--device <device>". */
  readonly flags: string
  readonly names: readonly string[]
  readonly description: string
  readonly repeatable: boolean
  /** null: a flag that takes none. */
  readonly value: Value | null
}

/** What a shell can offer. */
export type Value =
  | { readonly kind: 'choices'; readonly choices: readonly string[] }
  | { readonly kind: 'file' | 'folder' | 'text' }

/** Hidden commands and options are not in it. */
export function outline(command: Command, before: readonly string[] = []): CommandOutline {
  const help = command.createHelp()
  const words = [...before, command.name()]
  const inner = help.visibleCommands(command).filter((each) => each.name() !== 'help')
  return {
    words,
    summary: command.description(),
    usage: [...words, command.usage()].join(' '),
    parameters: help.visibleArguments(command).map((each) => ({
      name: each.name(),
      description: help.argumentDescription(each),
      variadic: each.variadic,
      value: valueFor(each, each.name()),
    })),
    options: help.visibleOptions(command).map((each) => optionOutline(each, help.optionDescription(each))),
    examples: helpAfter(command),
    commands: inner.map((each) => outline(each, words)),
  }
}

/** A command, then those within it. */
export function allCommands(root: CommandOutline): readonly CommandOutline[] {
  return [root, ...root.commands.flatMap(allCommands)]
}

function optionOutline(option: Option, description: string): OptionOutline {
  const [, placeholder] = /[<[](.+?)[>\]]/.exec(option.flags) ?? []
  return {
    flags: option.flags,
    names: [option.short, option.long].filter((name) => name !== undefined),
    description,
    repeatable: option.variadic || Array.isArray(option.defaultValue),
    value: placeholder === undefined ? null : valueFor(option, placeholder),
  }
}

/** By the word that stands for the value: <file>, <folder>, <run...>. */
function valueFor({ argChoices }: Option | Argument, placeholder: string): Value {
  if (argChoices !== undefined) return { kind: 'choices', choices: argChoices }
  if (/file|^page/.test(placeholder)) return { kind: 'file' }
  return { kind: /folder|run|source|group/.test(placeholder) ? 'folder' : 'text' }
}

function helpAfter(command: Command): string {
  let text = ''
  const write = (part: string) => {
    text += part
  }
  // commander keeps such text in listeners alone; its types do not say that a command emits.
  ;(command as unknown as EventEmitter).emit('afterHelp', { error: false, command, write })
  return text.trim()
}
