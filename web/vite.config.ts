import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `npm run dev` and `npm run preview` serve the console and pass everything else on to a running server, as if its own page had asked.
const server = process.env.BELFRY_URL ?? 'http://127.0.0.1:7400'
const proxy = { '^/(api|healthz|readyz|metrics|trail/.+)': { target: server, changeOrigin: true, headers: { origin: server } } }

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // Small images stay files: the policy of the server allows data: for images only, not for scripts.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy },
  preview: { proxy },
  test: { include: ['src/**/*.test.ts'] },
})
