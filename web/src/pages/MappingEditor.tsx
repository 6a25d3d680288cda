import { Button, Skeleton } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { CircleDashed } from 'lucide-react'
import * as ask from '@/api/queries'
import type { Mapping } from '@/api/types'
import { Editor } from '@/components/mapping/Editor'
import { sample, type Sample } from '@/components/mapping/Samples'
import { plural } from '@/lib/format'
import { Failure } from '@/ui/Failure'
import { Page } from '@/ui/Page'
import { Chip } from '@/ui/Panel'
import { Ago } from '@/ui/Time'
import { useAddress } from '@/ui/address'
import { useState } from 'react'

/** Records of a group that come along as samples. */
const ALONG_MAX = 20

export function MappingEditor() {
  const { name } = useParams({ strict: false }) as { name: string }
  const [address] = useAddress()
  const mapping = useQuery(ask.mapping(name))
  const stored = useQuery(ask.mappingSamples(name))
  // What is to be mended comes along: a record, or the newest of a group.
  const record = useQuery({ ...ask.setAsideRecord(address.record ?? ''), enabled: address.record !== undefined })
  const group = useInfiniteQuery({ ...ask.setAside({ group: address.group, state: 'open' }), enabled: address.group !== undefined })
  const failed = mapping.error ?? stored.error ?? record.error ?? group.error
  if (failed) return <Page title={`Mapping ${name}`}><Failure of={failed} again={() => void mapping.refetch()} /></Page>
  if (!mapping.data || !stored.data || record.isLoading || group.isLoading) return <Page title={`Mapping ${name}`}><Skeleton height={420} /></Page>
  const along = [...(record.data ? [record.data] : []), ...(group.data?.pages[0]?.items ?? []).slice(0, ALONG_MAX)]
  const samples = [...along.map((r) => sample(r.record, 'set aside')), ...stored.data.own.map((r) => sample(r, 'kept'))]
  if (samples.length === 0) samples.push(...stored.data.shipped.slice(0, 5).map((r) => sample(r, 'shipped')))
  if (samples.length === 0) samples.push(sample('', 'typed'))
  return <One key={`${name} ${mapping.data.version} ${address.group ?? ''} ${address.record ?? ''}`} mapping={mapping.data} samples={samples} shipped={stored.data.shipped} group={address.group} along={along.length} />
}

function One({ mapping, samples: fresh, shipped, group, along }: { mapping: Mapping; samples: Sample[]; shipped: string[]; group?: string; along: number }) {
  // Each reading of the stored samples makes new ones; the editor keeps those that it began with.
  const [samples] = useState(fresh)
  const [version, setVersion] = useState<number | null>(null)
  return (
    <Page
      fill
      title={`Mapping ${mapping.name}`}
      lead={
        <>
          {mapping.description.replace(/\.?$/, '.')} <Chip>{mapping.builtin ? 'shipped with Belfry' : mapping.shipped ? 'shipped, changed here' : 'your own'}</Chip> Version {mapping.version}
          {mapping.updated_at && (
            <>
              , changed <Ago at={mapping.updated_at} /> by {mapping.updated_by}
            </>
          )}
          .{' '}
          {mapping.used_by.length > 0 ? (
            <>
              Reads{' '}
              {mapping.used_by.slice(0, 6).map((s, n) => (
                <span key={s}>
                  {n > 0 && ', '}
                  <Link to={`/sources/${s}`}>{s}</Link>
                </span>
              ))}
              .
            </>
          ) : (
            'No source uses it.'
          )}
        </>
      }
      actions={
        group && (
          <Button variant="default" leftSection={<CircleDashed size={14} />} component={Link} to={`/set-aside/${group}`}>
            Back to the group{version !== null ? ', to replay it' : along > 0 ? ` (${plural(along, 'sample')})` : ''}
          </Button>
        )
      }
    >
      <Editor
        draft={{ name: mapping.name, program: mapping.program ?? '', version: mapping.version, sources: mapping.used_by }}
        samples={samples}
        shipped={shipped}
        saved={(m) => setVersion(m.version)}
      />
    </Page>
  )
}
