"""TFRecords that other writers made, damaged ones, and CLEVR with masks read from them."""

import gzip
import pickle
import struct
from io import BytesIO

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorboard.summary.writer.record_writer import RecordWriter, masked_crc32c

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.training.sources.clevr import HEIGHT, MASKS, WIDTH, ClevrImages
from dense_descriptor_ros.training.sources.tfrecord import byte_features, masked_crc, read_records


def varint(value):
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def example(**features):
    """A tf.train.Example, byte by byte; each feature is the content of its Feature message."""
    entries = (field(1, name.encode()) + field(2, content) for name, content in features.items())
    return field(1, b''.join(field(1, entry) for entry in entries))


def byte_list(strings):
    return field(1, b''.join(field(1, string) for string in strings))


def single_bytes(array):
    """A list of strings of one byte each, as the released file has its images."""
    triples = np.empty((array.size, 3), np.uint8)
    triples[:] = (0x0A, 1, 0)
    triples[:, 2] = array.ravel()
    return field(1, triples.tobytes())


def float_list(values):
    return field(2, field(1, struct.pack(f'<{len(values)}f', *values)))


def scene(seed):
    """An image, and which of its solids each pixel shows."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    instances = np.zeros((HEIGHT, WIDTH), np.uint8)
    for k in range(1, int(rng.integers(4, MASKS))):
        top, left = rng.integers(0, 200), rng.integers(0, 280)
        instances[top : top + 40, left : left + 40] = k
    return rgb, instances


def record(seed):
    rgb, instances = scene(seed)
    masks = (instances == np.arange(MASKS)[:, None, None])[..., None].astype(np.uint8) * 255
    visible = float_list(masks.any((1, 2, 3)).astype(float))
    return example(image=single_bytes(rgb), mask=single_bytes(masks), visibility=visible)


def framed(records):
    buffer = BytesIO()
    writer = RecordWriter(buffer)
    for content in records:
        writer.write(content)
    return buffer.getvalue()


def framed_quickly(records):
    """The same but for the data's checksums, which take the other writer seconds and nobody reads here."""
    heads = (struct.pack('<Q', len(content)) for content in records)
    return b''.join(
        head + struct.pack('<I', masked_crc32c(head)) + content + bytes(4)
        for head, content in zip(heads, records, strict=True)
    )


@pytest.fixture(scope='module')
def released():
    """Ten records in one gzip stream."""
    return gzip.compress(framed_quickly([record(k) for k in range(10)]), compresslevel=1)


@pytest.fixture
def path(tmp_path, released):
    (tmp_path / 'clevr.tfrecords').write_bytes(released)
    return tmp_path / 'clevr.tfrecords'


def example_message():
    """The Example message as Google's own library builds it from its description."""
    file = descriptor_pb2.FileDescriptorProto(name='example.proto', package='t', syntax='proto3')
    types = descriptor_pb2.FieldDescriptorProto

    def add(message, name, number, kind, repeated=False, of=None):
        label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
        message.field.add(name=name, number=number, type=kind, label=label, type_name=of)

    for name, kind in (
        ('Bytes', types.TYPE_BYTES),
        ('Floats', types.TYPE_FLOAT),
        ('Ints', types.TYPE_INT64),
    ):
        add(file.message_type.add(name=name), 'value', 1, kind, repeated=True)
    feature = file.message_type.add(name='Feature')
    for number, name in enumerate(('Bytes', 'Floats', 'Ints'), 1):
        add(feature, name.lower(), number, types.TYPE_MESSAGE, of=f'.t.{name}')
    features = file.message_type.add(name='Features')
    entry = features.nested_type.add(name='FeatureEntry')
    entry.options.map_entry = True
    add(entry, 'key', 1, types.TYPE_STRING)
    add(entry, 'value', 2, types.TYPE_MESSAGE, of='.t.Feature')
    add(features, 'feature', 1, types.TYPE_MESSAGE, repeated=True, of='.t.Features.FeatureEntry')
    add(file.message_type.add(name='Example'), 'features', 1, types.TYPE_MESSAGE, of='.t.Features')
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName('t.Example'))()


def test_the_checksum_is_that_of_the_format():
    for data in (b'', b'123456789', bytes(8), struct.pack('<Q', 3_200_000)):
        assert masked_crc(data) == masked_crc32c(data)


def test_records_of_another_writer_are_read_gzipped_or_not(tmp_path):
    records = [b'', b'one', bytes(range(256)) * 50]
    for name, content in (('plain', framed(records)), ('zipped', gzip.compress(framed(records)))):
        (tmp_path / name).write_bytes(content)
        assert list(read_records(tmp_path / name)) == records


def test_byte_features_are_those_that_protobuf_wrote():
    message = example_message()
    features = message.features.feature
    features['single'].bytes.value.extend(bytes([k]) for k in range(200))
    features['whole'].bytes.value.append(bytes(range(250)))
    features['several'].bytes.value.extend([b'ab', b'', b'c' * 300])
    features['alike'].bytes.value.extend([b'a', b'bc', b'd'])
    features['x'].floats.value.extend([1.5, 2.5])
    features['n'].ints.value.extend([3, -4])
    found = byte_features(message.SerializeToString())
    assert {name: values.tobytes() for name, values in found.items()} == {
        'single': bytes(range(200)),
        'whole': bytes(range(250)),
        'several': b'ab' + b'c' * 300,
        'alike': b'abcd',
    }


def test_what_this_test_writes_is_what_protobuf_reads():
    message = example_message()
    message.ParseFromString(
        example(a=byte_list([b'xy', b'z']), b=single_bytes(np.arange(3)), c=float_list([2.0]))
    )
    assert list(message.features.feature['a'].bytes.value) == [b'xy', b'z']
    assert list(message.features.feature['b'].bytes.value) == [b'\0', b'\1', b'\2']
    assert list(message.features.feature['c'].floats.value) == [2.0]


def test_fields_of_every_wire_type_are_passed_over():
    others = b'\x20\x96\x01' + b'\x29' + bytes(8) + b'\x35' + bytes(4)  # a varint, 64 bits, 32 bits
    found = byte_features(others + example(a=byte_list([b'x'])) + others)
    assert found['a'].tobytes() == b'x'


@pytest.mark.parametrize('content', [b'\x0a\x05abc', b'\x0a\xff', b'\x0b', b'\xff' * 12])
def test_a_message_that_is_none_is_refused(content):
    with pytest.raises(ValueError, match=r'field|number|wire type'):
        byte_features(content)


def test_images_and_instances_come_back_in_three_parts(path):
    parts = [ClevrImages(path, split) for split in ('train', 'val', 'test')]
    assert [len(part) for part in parts] == [7, 1, 2]
    images = [part[k] for part in parts for k in range(len(part))]
    for seed, image in enumerate(images):
        rgb, instances = scene(seed)
        np.testing.assert_array_equal(image.rgb, rgb)
        np.testing.assert_array_equal(image.instances, instances)
        assert image.classes is None


def test_a_file_is_repacked_once_until_it_changes(path):
    ClevrImages(path, 'train')
    packed = path.with_suffix('.clevr.h5')
    first = packed.stat().st_mtime_ns
    ClevrImages(path, 'val')
    assert packed.stat().st_mtime_ns == first
    path.write_bytes(framed_quickly([record(20 + k) for k in range(3)]))
    again = ClevrImages(path, 'train')
    assert packed.stat().st_mtime_ns > first
    np.testing.assert_array_equal(again[0].rgb, scene(20)[0])


def test_a_source_reads_the_same_after_pickling(path):
    source = ClevrImages(path, 'test')
    expected = source[1]
    again = pickle.loads(pickle.dumps(source))[1]
    np.testing.assert_array_equal(again.rgb, expected.rgb)
    np.testing.assert_array_equal(again.instances, expected.instances)


def test_a_record_cut_short_is_named_with_its_byte(tmp_path):
    path = tmp_path / 'x.tfrecords'
    whole = framed([b'a' * 100, b'b' * 100])
    for length, byte, message in (
        (216, 116, '88 bytes follow, expected 104'),
        (120, 116, 'no record begins'),
    ):
        path.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=rf'x\.tfrecords: record 1 at byte {byte}: {message}'):
            list(read_records(path))


def test_a_damaged_length_is_named_with_its_byte(tmp_path):
    path = tmp_path / 'x.tfrecords'
    whole = bytearray(framed([b'a' * 100, b'b' * 100]))
    whole[118] ^= 4
    path.write_bytes(whole)
    with pytest.raises(DatasetError, match=r'record 1 at byte 116: no record begins here'):
        list(read_records(path))
    path.write_bytes(b'no record file at all')
    with pytest.raises(DatasetError, match='record 0 at byte 0: no record begins here'):
        list(read_records(path))


def test_a_gzip_stream_cut_short_or_damaged_names_the_record(path, released):
    path.write_bytes(released[: len(released) // 2])
    with pytest.raises(DatasetError, match=r'clevr\.tfrecords: record [45] at byte \d+: cannot be unpacked'):
        ClevrImages(path, 'train')
    damaged = bytearray(released)
    damaged[len(released) // 2 : len(released) // 2 + 100] = bytes(100)
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match=r'clevr\.tfrecords: record \d+'):
        ClevrImages(path, 'train')
    assert [p.name for p in path.parent.iterdir()] == ['clevr.tfrecords']


def test_a_record_that_is_no_clevr_image_is_named(path):
    for content in (b'xyz', example(image=byte_list([b'x'])), example(picture=byte_list([b'x']))):
        path.write_bytes(framed_quickly([record(0), content]))
        with pytest.raises(DatasetError, match=r'clevr\.tfrecords: record 1 is no image of CLEVR'):
            ClevrImages(path, 'train')


def test_a_missing_file_and_an_unknown_or_empty_split_are_named(path):
    with pytest.raises(DatasetError, match=r"no split 'dev'; expected one of \['train', 'val', 'test'\]"):
        ClevrImages(path, 'dev')
    with pytest.raises(DatasetError, match=r'nowhere\.tfrecords: no such file'):
        ClevrImages(path.with_name('nowhere.tfrecords'), 'train')
    path.write_bytes(framed([]))
    with pytest.raises(DatasetError, match="0 images, too few for a split 'train'"):
        ClevrImages(path, 'train')
