// Packs the typefaces that reports are printed with, for embedding into the server: fonts/packed/<name>.gz.
// Runs by itself after `npm ci`.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const here = import.meta.dirname;
const fonts = {
  'sans': ['noto-sans', '400Regular'],
  'sans-semibold': ['noto-sans', '600SemiBold'],
  'mono': ['noto-sans-mono', '400Regular'],
  'arabic': ['vazirmatn', '400Regular'],
  'arabic-more': ['noto-sans-arabic', '400Regular'],
  'hebrew': ['noto-sans-hebrew', '400Regular'],
  'thai': ['noto-sans-thai', '400Regular'],
  'georgian': ['noto-sans-georgian', '400Regular'],
  'armenian': ['noto-sans-armenian', '400Regular'],
  'bengali': ['noto-sans-bengali', '400Regular'],
  'tamil': ['noto-sans-tamil', '400Regular'],
  'emoji': ['noto-emoji', '400Regular'],
  'sc': ['noto-sans-sc', '400Regular'],
  'kr': ['noto-sans-kr', '400Regular'],
};

const packed = join(here, 'packed');
mkdirSync(packed, { recursive: true });
for (const [name, [pkg, weight]] of Object.entries(fonts)) {
  const folder = join(here, 'node_modules/@expo-google-fonts', pkg, weight);
  const file = readdirSync(folder).find((entry) => entry.endsWith('.ttf'));
  writeFileSync(join(packed, `${name}.gz`), gzipSync(readFileSync(join(folder, file)), { level: 9 }));
}
