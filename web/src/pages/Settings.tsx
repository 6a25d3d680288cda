import { useMay } from '@/components/session'
import { Outgoing } from '@/components/settings/Outgoing'
import { Password } from '@/components/settings/Password'
import { Tokens } from '@/components/settings/Tokens'
import { Users } from '@/components/settings/Users'
import { Page } from '@/ui/Page'
import { PageTabs } from '@/ui/PageTabs'
import { useAddress } from '@/ui/address'

const TABS = [
  { id: 'users', title: 'Users', needs: 'users:manage', show: Users },
  { id: 'tokens', title: 'Tokens', needs: 'tokens:own', show: Tokens },
  { id: 'password', title: 'My password', needs: undefined, show: Password },
  { id: 'outgoing', title: 'Allowed targets', needs: 'settings:write', show: Outgoing },
] as const

export function Settings() {
  const [address] = useAddress()
  const may = useMay()
  const shown = TABS.filter((t) => !t.needs || may(t.needs))
  const tab = shown.find((t) => t.id === address.tab) ?? shown[0]
  if (!tab) return null
  return (
    <Page fill title="Settings">
      <PageTabs tabs={shown} shown={tab} />
      <tab.show />
    </Page>
  )
}
