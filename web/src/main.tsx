import '@mantine/core/styles.css'
import '@/ui/base.css'
import { MantineProvider, localStorageColorSchemeManager } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Problem } from '@/api/problem'
import { Toasts } from '@/ui/toast'
import { theme, variables } from '@/ui/theme'
import { makeRouter } from './routes'

// What the server refuses is not asked again; a server that can't be reached or is busy is, twice.
const patience = (failures: number, failure: Error): boolean =>
  failures < 2 && !(failure instanceof Problem && failure.status >= 400 && failure.status < 500 && failure.status !== 429)

const client = new QueryClient({ defaultOptions: { queries: { staleTime: 5_000, retry: patience, refetchOnWindowFocus: true } } })
const router = makeRouter(client)
const scheme = localStorageColorSchemeManager({ key: 'belfry-scheme' })

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={variables} colorSchemeManager={scheme} defaultColorScheme="auto">
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
          <Toasts />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  )
}
