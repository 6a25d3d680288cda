export function Deliveries() { return <div>Deliveries</div> }
