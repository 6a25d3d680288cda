import { Tabs } from '@mantine/core'
import { Erasures } from '@/components/retention/Erasures'
import { Holds } from '@/components/retention/Holds'
import { Policies } from '@/components/retention/Policies'
import { Page } from '@/ui/Page'
import { useAddress } from '@/ui/address'

const TABS = [
  { id: 'policies', title: 'Policies', show: Policies, fill: false },
  { id: 'holds', title: 'Legal holds', show: Holds, fill: true },
  { id: 'erasures', title: 'Erasures', show: Erasures, fill: true },
] as const

export function Retention() {
  const [address, setAddress] = useAddress()
  const tab = TABS.find((t) => t.id === address.tab) ?? TABS[0]
  return (
    <Page fill={tab.fill} title="Retention" lead="What is removed leaves its hash in the trail: that it existed, and where, stays proven for ever.">
      <Tabs value={tab.id} onChange={(t) => setAddress({ tab: t ?? undefined, open: undefined })}>
        <Tabs.List style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
          {TABS.map((t) => (
            <Tabs.Tab key={t.id} value={t.id}>
              {t.title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
      </Tabs>
      <tab.show />
    </Page>
  )
}
