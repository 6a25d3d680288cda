import { Button, Tabs } from '@mantine/core'
import { Plus } from 'lucide-react'
import { Hooks } from '@/components/source/Hooks'
import { InputList } from '@/components/source/InputList'
import { useMay } from '@/components/session'
import { Page } from '@/ui/Page'
import { useAddress } from '@/ui/address'

/** What Belfry reads by itself, and the addresses at which it takes webhooks. */
export function Inputs() {
  const [address, setAddress] = useAddress()
  const tab = address.tab ?? 'inputs'
  const make = useMay()('sources:write') && (
    <Button leftSection={<Plus size={14} />} onClick={() => setAddress({ open: 'new' })}>
      {tab === 'inputs' ? 'New input' : 'New webhook'}
    </Button>
  )
  return (
    <Page
      fill
      title="Inputs"
      lead={tab === 'inputs' ? 'What Belfry reads by itself: files, the journal, NATS and Kafka.' : 'Addresses for senders that push, each with the signature that its sender makes.'}
      actions={make}
    >
      <Tabs value={tab} onChange={(v) => setAddress({ tab: v === 'inputs' || v === null ? undefined : v, open: undefined })}>
        <Tabs.List>
          <Tabs.Tab value="inputs">Inputs</Tabs.Tab>
          <Tabs.Tab value="hooks">Webhooks</Tabs.Tab>
        </Tabs.List>
      </Tabs>
      {tab === 'inputs' ? <InputList make={make} /> : <Hooks make={make} />}
    </Page>
  )
}
