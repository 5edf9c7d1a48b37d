import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EigenaeError, usageError, withFileErrors } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { downloadUnzipped, withoutUser } from './download.js'
import { dataFileKeys, dataFiles } from './files.js'
import { sha256 } from './load.js'

export interface FetchOptions {
  /** Plain-http address of the folder that holds the four .gz files. */
  readonly mirror: string
  readonly folder: string
  /** How long the server may send nothing. */
  readonly stallSeconds: number
  readonly onFile: (file: string) => void
  readonly signal: AbortSignal
}

/**
 * Downloads MNIST's four files. They are checked in a folder beside `folder` and renamed into it only when all four
 * have the pinned sums: whatever fails before that leaves what was there.
 */
export async function fetchMnist(options: FetchOptions): Promise<void> {
  const { folder, mirror } = options
  requirePlainHttp(mirror)
  const parent = dirname(folder)
  await makeFolder(parent)
  const staging = await withFileErrors('make the folder', folder, () =>
    mkdtemp(join(parent, `.${basename(folder)}-`)),
  )
  try {
    for (const key of dataFileKeys) await downloadInto(staging, dataFiles[key], options)
    await makeFolder(folder)
    await withFileErrors('write', folder, async () => {
      for (const key of dataFileKeys) {
        const { name } = dataFiles[key]
        await rename(join(staging, name), join(folder, name))
      }
    })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

interface PinnedFile {
  readonly name: string
  readonly sha256: string
}

async function downloadInto(staging: string, file: PinnedFile, options: FetchOptions): Promise<void> {
  const url = new URL(`${file.name}.gz`, options.mirror.replace(/\/*$/, '/')).href
  const bytes = await downloadUnzipped(url, options.stallSeconds, options.signal)
  const found = sha256(bytes)
  if (found !== file.sha256) {
    throw new EigenaeError({
      what: `this is not MNIST's file: SHA-256 is ${found}, expected ${file.sha256}`,
      where: withoutUser(url),
      hint: 'Try another mirror with --mirror; "mnist" as data.source needs no download.',
    })
  }
  const target = join(staging, file.name)
  await withFileErrors('write', target, () => writeFile(target, bytes))
  options.onFile(join(options.folder, file.name))
}

function requirePlainHttp(mirror: string): void {
  if (!/^http:\/\//.test(mirror) || !URL.canParse(mirror)) {
    throw usageError({
      what: `expected an address that starts with http://, got "${mirror.replace(/\/\/[^/]*@/, '//')}"`,
      where: '--mirror',
      hint: 'Downloads are plain http; the sums of the files are checked.',
    })
  }
}
