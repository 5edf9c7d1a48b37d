import type { Command } from 'commander'

/**
 * Commander asks for required options before it looks for unknown ones, so that a slip in the name of one would read as
 * if it were left out. They are asked for here instead, once all others are known.
 */
export function requireOptionsLast(command: Command): void {
  const required = command.options.filter(({ mandatory }) => mandatory)
  for (const option of required) option.makeOptionMandatory(false)
  command.hook('preAction', () => {
    const missing = required.find((option) => command.getOptionValue(option.attributeName()) === undefined)
    if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`)
  })
}
