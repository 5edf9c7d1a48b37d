// Writes docs/commands.md and man/eigenae.1 from commander's tables: npm run docs
import { writeFile } from 'node:fs/promises'
import { program } from '../dist/cli.js'
import { manPage } from '../dist/manual/man.js'
import { markdownManual } from '../dist/manual/markdown.js'
import { outline } from '../dist/manual/outline.js'
import { version } from '../dist/runs/facts.js'

const root = outline(program())
await writeFile(new URL('../docs/commands.md', import.meta.url), markdownManual(root))
await writeFile(new URL('../man/eigenae.1', import.meta.url), manPage(root, version))
