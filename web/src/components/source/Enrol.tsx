import { Button, Checkbox, Modal, Select, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answer, http } from '@/api/client'
import * as ask from '@/api/queries'
import type { EnrolmentMade } from '@/api/types'
import { Command } from '@/ui/Copy'
import { DialogFoot } from '@/ui/DialogFoot'
import { Time } from '@/ui/Time'

const HOUR = 3_600
const TIMES = [
  { value: String(HOUR), label: 'an hour' },
  { value: String(24 * HOUR), label: 'a day' },
  { value: String(7 * 24 * HOUR), label: 'a week' },
]

/** A place for a device: what it is asked for, and then its one-time token, this once. */
export function Enrol({ application, close }: { application: string; close: () => void }) {
  const client = useQueryClient()
  const [device, setDevice] = useState('')
  const [valid, setValid] = useState(String(24 * HOUR))
  const [lock, setLock] = useState(false)
  const [networks, setNetworks] = useState('')
  const [made, setMade] = useState<EnrolmentMade | null>(null)
  const [failure, setFailure] = useState<unknown>(null)
  const submit = async (e: React.FormEvent): Promise<void> => {
    e.preventDefault()
    setFailure(null)
    try {
      const body = { device: device.trim() || undefined, valid_seconds: Number(valid), lock_to_first_address: lock, networks: networks.split(/[\s,]+/).filter(Boolean) }
      setMade(await answer(http.POST('/api/v1/applications/{name}/enrolments', { params: { path: { name: application } }, body })))
      await client.invalidateQueries({ queryKey: ask.key('applications') })
    } catch (cause) {
      setFailure(cause)
    }
  }
  return (
    <Modal opened onClose={close} title={<strong>Enrol a device</strong>} size="lg" closeOnClickOutside={made === null}>
      {made ? (
        <div className="stack">
          <p style={{ margin: 0 }}>
            Run this on the device before <Time at={made.expires_at} style="moment" />. The token is good for one device, and is shown this once.
          </p>
          <Command>{`belfry enroll --url ${location.origin} --token ${made.token}${made.device ? '' : ' --device "$(hostname)"'}`}</Command>
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button onClick={close}>I have copied it</Button>
          </div>
        </div>
      ) : (
        <form onSubmit={submit} className="stack">
          <TextInput label="Device" description="What it will be called; left empty, it says so itself." placeholder="payroll-1" value={device} onChange={(e) => setDevice(e.currentTarget.value)} data-autofocus />
          <Select label="The token is good for" value={valid} onChange={(v) => setValid(v ?? valid)} data={TIMES} />
          <Checkbox label="Lock it to the address it enrols from" checked={lock} onChange={(e) => setLock(e.currentTarget.checked)} />
          <TextInput label="Or to these networks" placeholder="10.20.0.0/16" value={networks} onChange={(e) => setNetworks(e.currentTarget.value)} />
          <DialogFoot failure={failure} close={close} action="Make the token" />
        </form>
      )}
    </Modal>
  )
}
