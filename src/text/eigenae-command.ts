/** Returns a command of eigenae with its name: "npx eigenae" if npx has started this process, as in a clone. */
export function eigenaeCommand(line: string): string {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env
  const byNpx = event === 'npx' && /^'?eigenae\b/.test(script)
  return `${byNpx ? 'npx ' : ''}eigenae ${line}`
}
