"""What a schema can't see: that the names in rendered manifests meet each other, and that our container has no privileges.

Usage: check_manifests.py RENDERED.yaml…
"""

import sys

import yaml


def faults(objects):
    names = {(o["kind"], o["metadata"]["name"]) for o in objects}
    workloads = [o for o in objects if o["kind"] in ("Deployment", "StatefulSet")]
    ours = 0
    for workload in workloads:
        where, template = workload["metadata"]["name"], workload["spec"]["template"]
        pod = template["spec"]
        volumes = {v["name"]: v for v in pod.get("volumes", [])}
        for name, volume in volumes.items():
            wanted = [
                ("ConfigMap", volume.get("configMap", {}).get("name")),
                ("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName")),
            ]
            yield from (f"{where}: volume {name}: no {k} {n}" for k, n in wanted if n and (k, n) not in names)
        for container in pod.get("initContainers", []) + pod["containers"]:
            mounted = {m["name"] for m in container.get("volumeMounts", [])}
            yield from (f"{where}/{container['name']}: no volume {m}" for m in mounted - volumes.keys())
        for container in (c for c in pod["containers"] if c["name"] == "countersign"):
            ours += 1
            yield from (f"{where}: {fault}" for fault in container_faults(pod, container))
            if workload["spec"].get("replicas") != 1:
                yield f"{where}: SQLite bears one replica"
    if ours != 1:
        yield f"{ours} containers of countersign instead of one"
    for service in (o for o in objects if o["kind"] == "Service"):
        targets = [w["spec"]["template"] for w in workloads if selects(service, w)]
        ports = {p["name"] for t in targets for c in t["spec"]["containers"] for p in c["ports"]}
        wanted = {p["targetPort"] for p in service["spec"]["ports"]}
        yield from (f"service {service['metadata']['name']}: no pod has port {p}" for p in wanted - ports)


def selects(service, workload):
    return service["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()


def container_faults(pod, container):
    ports = {p["name"] for p in container["ports"]}
    for probe in ("livenessProbe", "readinessProbe"):
        if probe in container and container[probe]["httpGet"]["port"] not in ports:
            yield f"{probe} asks a port that is not there"
    # The `restricted` Pod Security Standard, and a root file system that can't be written.
    context = {**pod.get("securityContext", {}), **container["securityContext"]}
    restricted = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    yield from (f"securityContext.{k} is not {v}" for k, v in restricted.items() if context.get(k) != v)


bad = 0
for path in sys.argv[1:]:
    with open(path) as file:
        for fault in faults(list(yaml.safe_load_all(file))):
            print(f"{path}: {fault}", file=sys.stderr)
            bad = 1
sys.exit(bad)
