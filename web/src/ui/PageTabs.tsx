import { Tabs } from '@mantine/core'
import { useAddress } from './address'

interface Tab {
  id: string
  title: string
}

/** The tabs of a page. Which one is shown stands in the address; what was open in the one before is closed. */
export function PageTabs({ tabs, shown }: { tabs: ReadonlyArray<Tab>; shown: Tab }) {
  const [, setAddress] = useAddress()
  return (
    <Tabs value={shown.id} onChange={(id) => setAddress({ tab: id ?? undefined, open: undefined })}>
      <Tabs.List style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
        {tabs.map((t) => (
          <Tabs.Tab key={t.id} value={t.id}>
            {t.title}
          </Tabs.Tab>
        ))}
      </Tabs.List>
    </Tabs>
  )
}
