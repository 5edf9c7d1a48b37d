// Writes configs/schema.json from the schema in src/config/schema.ts: npm run schema
import { writeFile } from 'node:fs/promises'
import { jsonSchema } from '../dist/config/schema.js'

const target = new URL('../configs/schema.json', import.meta.url)
await writeFile(target, `${JSON.stringify(jsonSchema(), null, 2)}\n`)
