import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the console and passes everything else on to a running server.
const server = process.env.BELFRY_URL ?? 'http://127.0.0.1:7400'

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // Small images stay files: the policy of the server allows data: for images only, not for fonts or scripts.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: true },
  server: { proxy: { '^/(api|healthz|readyz|metrics|trail/.+)': { target: server, changeOrigin: true } } },
  test: { include: ['src/**/*.test.ts'] },
})
