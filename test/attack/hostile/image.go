package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
)

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	listType     = "application/vnd.docker.distribution.manifest.list.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// object is a JSON object.
type object = map[string]any

// descriptor names a blob.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"`
	Digest    string `json:"digest"`
}

// image is an image in a registry. An attack changes parts of a good one.
type image struct {
	config   []byte
	layer    []byte
	manifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}
	// index answers instead of the manifest, unless it is nil.
	index []byte
}

func digest(text []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(text)) }

// newImage returns an image of this program, with these keys of the configuration's Config. The layer has a file with the
// image's name, so that no two attacks share a layer, which Docker would not download again.
func newImage(name string, keys object) (*image, error) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	var layer, packed bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := archive.WriteHeader(&tar.Header{Name: "hostile", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	_, _ = archive.Write(program)
	if err := archive.WriteHeader(&tar.Header{Name: "attack", Mode: 0o644, Size: int64(len(name))}); err != nil {
		return nil, err
	}
	_, _ = archive.Write([]byte(name))
	_ = archive.Close()
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the agent waits for 10 s
	if err != nil {
		return nil, err
	}
	_, _ = w.Write(layer.Bytes())
	_ = w.Close()
	config := object{"Entrypoint": []string{"/hostile", "idle"}}
	maps.Copy(config, keys)
	text, err := json.Marshal(object{
		"architecture": runtime.GOARCH, "os": "linux", "config": config, "rootfs": object{"type": "layers", "diff_ids": []string{digest(layer.Bytes())}},
	})
	if err != nil {
		return nil, err
	}
	i := &image{config: text, layer: packed.Bytes()}
	i.manifest.SchemaVersion, i.manifest.MediaType = 2, manifestType
	i.manifest.Config = descriptor{configType, int64(len(text)), digest(text)}
	i.manifest.Layers = []descriptor{{layerType, int64(packed.Len()), digest(packed.Bytes())}}
	return i, nil
}

// many returns this many names with a value.
func many(n int, name string, value any) object {
	all := object{}
	for i := range n {
		all[fmt.Sprintf(name, i)] = value
	}
	return all
}

// configs are images whose configuration attacks. Docker pulls and creates them.
func configs() map[string]object {
	var variables []string
	for i := range 100_000 {
		variables = append(variables, fmt.Sprintf("NAME_%06d=value", i))
	}
	return map[string]object{
		"100000-variables": {"Env": variables},
		"100000-labels":    {"Labels": many(100_000, "label.%06d", "value")},
		"60000-ports":      {"ExposedPorts": many(60_000, "%d/tcp", object{})},
		"1000-volumes":     {"Volumes": many(1000, "/volumes/%06d", object{})},
		"forged-labels": {"Labels": object{
			"dockhost.name": "app", "dockhost.unit": "dockhost@app.service", "dockhost.revision": "1", "com.docker.compose.project": ugly,
		}},
		"ugly-strings":     {"Labels": object{"a" + ugly: ugly}, "WorkingDir": "/", "Env": []string{"UGLY=" + ugly, "NOTIFY_SOCKET=/dev/null", "LISTEN_FDS=9", "LD_PRELOAD=/hostile"}},
		"endless-check":    {"Healthcheck": object{"Test": []string{"CMD", "/hostile", "output", "escapes"}, "Interval": 1_000_000_000, "Timeout": 3_000_000_000, "Retries": 1}},
		"false-signal":     {"StopSignal": "KILL;reboot"},
		"user-of-the-host": {"User": "../../../etc/passwd"},
		"volume-of-proc":   {"Volumes": object{"/proc": object{}, "/sys/../etc": object{}, "/run/dockhost": object{}}},
	}
}

// lies change the manifest of a good image so that it cannot be pulled.
func lies() map[string]func(*image) {
	claim := func(size int64) func(*image) { return func(i *image) { i.manifest.Config.Size = size } }
	return map[string]func(*image){
		"config-of-exabytes":       claim(1 << 62),
		"config-of-64-mib":         claim(64 << 20),
		"config-below-nothing":     claim(-1),
		"config-longer-than-said":  func(i *image) { i.config = append(i.config, bytes.Repeat([]byte(" "), 64<<20)...) },
		"config-of-a-bomb":         func(i *image) { i.config = bomb(1 << 30); i.describe() },
		"config-too-deep":          func(i *image) { i.config = bytes.Repeat([]byte(`{"config":`), 500_000); i.describe() },
		"config-of-another-digest": func(i *image) { i.manifest.Config.Digest = digest(nil) },
		"config-digest-with-path":  func(i *image) { i.manifest.Config.Digest = "sha256:../../../../etc/passwd" },
		"layer-of-exabytes":        func(i *image) { i.manifest.Layers[0].Size = 1 << 60 },
		"layers-over-int64": func(i *image) {
			for range 40 {
				i.manifest.Layers = append(i.manifest.Layers, descriptor{layerType, 1 << 49, digest([]byte("none"))})
			}
		},
		"10000-layers-of-pebibytes": func(i *image) {
			for n := range 10_000 {
				i.manifest.Layers = append(i.manifest.Layers, descriptor{layerType, 1 << 50, digest(fmt.Append(nil, n))})
			}
			i.claimLayers(len(i.manifest.Layers))
		},
		"layer-twice":         func(i *image) { i.manifest.Layers = append(i.manifest.Layers, i.manifest.Layers[0]) },
		"layer-below-nothing": func(i *image) { i.manifest.Layers[0].Size = -1 << 40 },
		"layer-of-a-disk":     func(i *image) { i.manifest.Layers[0].Size = 1 << 45 },
		"20000-layers": func(i *image) {
			for n := range 20_000 {
				i.manifest.Layers = append(i.manifest.Layers, descriptor{layerType, 1, digest(fmt.Append(nil, n))})
			}
		},
		"layer-of-a-bomb": func(i *image) { i.layer = bomb(1 << 20); i.manifest.Layers[0].Digest = digest([]byte("other")) },
		"manifest-type":   func(i *image) { i.manifest.MediaType = "text/html" + ugly },
		"manifest-of-64-mib": func(i *image) {
			i.index = append([]byte(`{"schemaVersion":2,"x":"`), bytes.Repeat([]byte("x"), 64<<20)...)
		},
		"manifest-too-deep": func(i *image) { i.index = bytes.Repeat([]byte(`[`), 3<<20) },
		"manifest-of-nulls": func(i *image) { i.index = []byte(`{"schemaVersion":2,"config":null,"layers":[null,null]}`) },
		"empty-manifest":    func(i *image) { i.index = []byte{} },
		"index-of-itself":   func(i *image) { i.index = indexOf(1, "sha256:"+strings.Repeat("a", 64)) },
		"index-of-20000":    func(i *image) { i.index = indexOf(20_000, "sha256:"+strings.Repeat("b", 64)) },
		"index-of-paths":    func(i *image) { i.index = indexOf(1, "sha256:../../../../v2/secret") },
	}
}

// describe lets the manifest say the truth about the configuration.
func (i *image) describe() {
	i.manifest.Config.Size, i.manifest.Config.Digest = int64(len(i.config)), digest(i.config)
}

// claimLayers lets the configuration have this many layers.
func (i *image) claimLayers(n int) {
	var config object
	_ = json.Unmarshal(i.config, &config)
	ids := make([]string, n)
	for at := range ids {
		ids[at] = digest(fmt.Append(nil, "unpacked", at))
	}
	config["rootfs"] = object{"type": "layers", "diff_ids": ids}
	i.config, _ = json.Marshal(config)
	i.describe()
}

// indexOf returns an index with this many images for the platform.
func indexOf(n int, digest string) []byte {
	entry := object{"mediaType": listType, "size": 500, "digest": digest, "platform": object{"os": "linux", "architecture": runtime.GOARCH}}
	list := make([]object, n)
	for i := range list {
		list[i] = entry
	}
	text, _ := json.Marshal(object{"schemaVersion": 2, "mediaType": listType, "manifests": list})
	return text
}
