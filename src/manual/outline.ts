import type { EventEmitter } from 'node:events'
import type { Argument, CommandUnknownOpts, Option } from 'commander'
import { configPaths } from '../config/paths.js'

/** A command as data, read from commander. The man page, docs/commands.md and the completions are made from it. */
export interface CommandOutline {
  /** The program's name and the commands: ['eigenae', 'data', 'fetch']. */
  readonly words: readonly string[]
  readonly summary: string
  readonly usage: string
  readonly parameters: readonly ParameterOutline[]
  readonly options: readonly OptionOutline[]
  /** The text at the end of --help. */
  readonly examples: string
  readonly commands: readonly CommandOutline[]
}

type ParameterOutline = ReturnType<typeof parameterOutline>
export type OptionOutline = ReturnType<typeof optionOutline>

/** The values that a shell can complete. */
export interface Value {
  /** "settings" are config paths with "=", to which the user adds a value. */
  readonly kind: 'choices' | 'settings' | 'file' | 'folder' | 'text'
  /** Empty for files, folders and text. */
  readonly choices: readonly string[]
}

/** Reads a command and its subcommands, without hidden commands and options. */
export function outline(command: CommandUnknownOpts, before: readonly string[] = []): CommandOutline {
  const help = command.createHelp()
  const words = [...before, command.name()]
  const inner = help.visibleCommands(command).filter((each) => each.name() !== 'help')
  return {
    words,
    summary: command.description(),
    usage: [...words, command.usage()].join(' '),
    parameters: help
      .visibleArguments(command)
      .map((each) => parameterOutline(each, help.argumentDescription(each))),
    options: help.visibleOptions(command).map((each) => optionOutline(each, help.optionDescription(each))),
    examples: helpAfter(command),
    commands: inner.map((each) => outline(each, words)),
  }
}

/** Returns a command, followed by all its subcommands. */
export function allCommands(root: CommandOutline): readonly CommandOutline[] {
  return [root, ...root.commands.flatMap(allCommands)]
}

/** Returns whether a command does something itself, rather than only hold others. */
export function isRunnable({ commands, parameters }: CommandOutline): boolean {
  return commands.length === 0 || parameters.length > 0
}

function parameterOutline(parameter: Argument, description: string) {
  const name = parameter.name()
  return { name, description, variadic: parameter.variadic, value: valueFor(parameter, name) }
}

function optionOutline(option: Option, description: string) {
  const [, placeholder] = /[<[](.+?)[>\]]/.exec(option.flags) ?? []
  return {
    /** The text in --help: "--device <device>". */
    flags: option.flags,
    names: [option.short, option.long].filter((name) => name !== undefined),
    description,
    repeatable: option.variadic || Array.isArray(option.defaultValue),
    /** Null for a flag without a value. */
    value: placeholder === undefined ? null : valueFor(option, placeholder),
  }
}

/** Derives the kind of a value from its placeholder: <file>, <folder>, <run...>, <path=value>. */
function valueFor({ argChoices }: Option | Argument, placeholder: string): Value {
  if (argChoices !== undefined) return { kind: 'choices', choices: argChoices }
  if (placeholder === 'path=value') {
    const paths = configPaths().filter((path) => !path.includes('*'))
    return { kind: 'settings', choices: paths.map((path) => `${path}=`) }
  }
  if (/file|^page/.test(placeholder)) return { kind: 'file', choices: [] }
  return { kind: /folder|run|source/.test(placeholder) ? 'folder' : 'text', choices: [] }
}

function helpAfter(command: CommandUnknownOpts): string {
  let text = ''
  const write = (part: string) => {
    text += part
  }
  // commander keeps this text only in listeners, and its types do not declare a command's emit().
  ;(command as unknown as EventEmitter).emit('afterHelp', { error: false, command, write })
  return text.trim()
}
