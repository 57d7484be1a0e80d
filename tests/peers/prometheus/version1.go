package main

import (
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/encoding"
	"github.com/prometheus/prometheus/tsdb/index"
)

// rewriteAsVersion1 replaces a block's index by one of version 1, which Prometheus reads but no
// longer writes: references are offsets, and series are not padded.
func rewriteAsVersion1(dir string) error {
	reader, err := openIndex(dir)
	if err != nil {
		return err
	}
	refs, err := allRefs(reader)
	if err != nil {
		return err
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	var file encoding.Encbuf
	file.PutBE32(index.MagicIndex)
	file.PutByte(index.FormatV1)
	toc := make([]uint64, 6)
	section := func(content []byte) uint64 {
		at := uint64(file.Len())
		file.PutBE32(uint32(len(content)))
		file.PutBytes(content)
		file.PutBE32(crc32.Checksum(content, castagnoli))
		return at
	}

	var content encoding.Encbuf
	var symbols []string
	for it := reader.Symbols(); it.Next(); {
		symbols = append(symbols, it.At())
	}
	offsets := map[string]int{}
	content.PutBE32(uint32(len(symbols)))
	for _, symbol := range symbols {
		offsets[symbol] = file.Len() + 4 + content.Len()
		content.PutUvarintStr(symbol)
	}
	toc[0] = section(content.Get())

	toc[1] = uint64(file.Len())
	var newRefs []uint32
	postings := map[labels.Label][]uint32{}
	var order []labels.Label
	for _, ref := range refs {
		var builder labels.ScratchBuilder
		var metas []chunks.Meta
		if err := reader.Series(ref, &builder, &metas); err != nil {
			return err
		}
		newRef := uint32(file.Len())
		newRefs = append(newRefs, newRef)
		content.Reset()
		content.PutUvarint(builder.Labels().Len())
		builder.Labels().Range(func(l labels.Label) {
			content.PutUvarint(offsets[l.Name])
			content.PutUvarint(offsets[l.Value])
			if postings[l] == nil {
				order = append(order, l)
			}
			postings[l] = append(postings[l], newRef)
		})
		content.PutUvarint(len(metas))
		for i, m := range metas {
			if i == 0 {
				content.PutVarint64(m.MinTime)
				content.PutUvarint64(uint64(m.MaxTime - m.MinTime))
				content.PutUvarint64(uint64(m.Ref))
				continue
			}
			content.PutUvarint64(uint64(m.MinTime - metas[i-1].MaxTime))
			content.PutUvarint64(uint64(m.MaxTime - m.MinTime))
			content.PutVarint64(int64(m.Ref) - int64(metas[i-1].Ref))
		}
		file.PutUvarint(content.Len())
		file.PutBytes(content.Get())
		file.PutBE32(crc32.Checksum(content.Get(), castagnoli))
	}
	if err := reader.Close(); err != nil {
		return err
	}

	toc[2], toc[3], toc[4] = uint64(file.Len()), uint64(file.Len()), uint64(file.Len())
	var table encoding.Encbuf
	table.PutBE32(uint32(1 + len(order)))
	add := func(l labels.Label, list []uint32) {
		content.Reset()
		content.PutBE32(uint32(len(list)))
		for _, ref := range list {
			content.PutBE32(ref)
		}
		table.PutUvarint(2)
		table.PutUvarintStr(l.Name)
		table.PutUvarintStr(l.Value)
		table.PutUvarint64(section(content.Get()))
	}
	for _, l := range order {
		add(l, postings[l])
	}
	add(labels.Label{}, newRefs)
	toc[5] = section(table.Get())

	content.Reset()
	for _, offset := range toc {
		content.PutBE64(offset)
	}
	file.PutBytes(content.Get())
	file.PutBE32(crc32.Checksum(content.Get(), castagnoli))
	return os.WriteFile(filepath.Join(dir, "index"), file.Get(), 0o666)
}
