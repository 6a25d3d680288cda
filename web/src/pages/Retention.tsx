import { Erasures } from '@/components/retention/Erasures'
import { Holds } from '@/components/retention/Holds'
import { Policies } from '@/components/retention/Policies'
import { Page } from '@/ui/Page'
import { PageTabs } from '@/ui/PageTabs'
import { useAddress } from '@/ui/address'

const TABS = [
  { id: 'policies', title: 'Policies', show: Policies, fill: false },
  { id: 'holds', title: 'Legal holds', show: Holds, fill: true },
  { id: 'erasures', title: 'Erasures', show: Erasures, fill: true },
] as const

export function Retention() {
  const [address] = useAddress()
  const tab = TABS.find((t) => t.id === address.tab) ?? TABS[0]
  return (
    <Page fill={tab.fill} title="Retention" lead="What is removed leaves its hash in the trail: that it existed, and where, stays proven for ever.">
      <PageTabs tabs={TABS} shown={tab} />
      <tab.show />
    </Page>
  )
}
