// Holds the direction of imports: ui → components → pages → routes, never back; lib and api know nothing of the screen.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../src')
const rank = { lib: 0, api: 1, ui: 2, components: 3, pages: 4 }
const room = (file) => relative(root, file).split('/')[0]
let wrong = 0

for (const file of readdirSync(root, { recursive: true }).filter((f) => /\.tsx?$/.test(f)).map((f) => join(root, f))) {
  const own = rank[room(file)]
  if (own === undefined) continue
  for (const [, from] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
    const target = from.startsWith('@/') ? join(root, from.slice(2)) : from.startsWith('.') ? resolve(dirname(file), from) : null
    if (!target) continue
    const other = rank[room(target)]
    if (other === undefined || other > own) {
      console.error(`${relative(root, file)} may not import ${from}`)
      wrong++
    }
  }
}
if (wrong) process.exit(1)
