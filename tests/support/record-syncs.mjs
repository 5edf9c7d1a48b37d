// Preloaded into the command line. Follows its file operations and writes the paths of the files that would survive a loss
// of power at its end: the content is synced, and so are the folders of the file's name and of the names of new folders.
import { promises, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, resolve } from 'node:path'

/** Whether each content and each name that this process has written is synced, by path. */
const [contents, names] = [new Map(), new Map()]
const { open, rename, mkdir } = promises

promises.open = async (path, flags = 'r', ...rest) => {
  const handle = await open(path, flags, ...rest)
  const file = resolve(path)
  if (String(flags).startsWith('wx')) names.set(file, false)
  const after = (methods, note) => {
    for (const method of methods) {
      const original = handle[method].bind(handle)
      handle[method] = async (...args) => {
        const result = await original(...args)
        note()
        return result
      }
    }
  }
  after(['write', 'writev', 'writeFile', 'appendFile', 'truncate'], () => contents.set(file, false))
  after(['sync', 'datasync'], () => {
    if (contents.has(file)) contents.set(file, true)
    for (const name of names.keys()) if (dirname(name) === file) names.set(name, true)
  })
  return handle
}

promises.mkdir = async (path, ...rest) => {
  const result = await mkdir(path, ...rest)
  names.set(resolve(path), false)
  return result
}

promises.rename = async (from, to) => {
  await rename(from, to)
  const [before, now] = [resolve(from), resolve(to)]
  for (const states of [contents, names])
    for (const [path, state] of [...states]) {
      if (path !== before && !path.startsWith(`${before}/`)) continue
      states.delete(path)
      states.set(now + path.slice(before.length), state)
    }
  names.set(now, false)
}
syncBuiltinESMExports()

function isNameSynced(path) {
  return names.get(path) !== false && (dirname(path) === path || isNameSynced(dirname(path)))
}

process.on('exit', () => {
  const synced = [...contents.keys()].filter((file) => contents.get(file) && isNameSynced(file))
  writeFileSync(process.env.EIGENAE_TEST_SYNCED, JSON.stringify(synced))
})
